import { join } from "node:path";
import type { HubPull } from "../../../src/domain/action.ts";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { createHubCacheReader } from "../../../src/adapters/huggingface/cache-reader.ts";
import { createHubWriter } from "../../../src/adapters/huggingface/writer.ts";
import type { Disk } from "../../../src/ports/disk.ts";
import { memoryHashCache, quickRetry } from "./hub-world.ts";

/** What a child process is told to do. */
export interface ChildTask {
  readonly endpoint: string;
  readonly root: string;
  readonly request: HubPull;
  /** The process kills itself right before this step on the disk, counted from 1; even steps are "right after the one before". */
  readonly dieAtStep?: number;
}

/** One pull in a process of its own, that may be killed. */
async function run({ endpoint, root, request, dieAtStep }: ChildTask): Promise<void> {
  const cacheDir = join(root, "hub");
  const hasher = createFileHasher({ cache: memoryHashCache(), workers: 1, clock: { now: () => new Date().toISOString() } });
  const disk = mortal(createDisk({ quarantineRoot: join(root, "quarantine") }), dieAtStep);
  const reader = createHubCacheReader({ cacheDir, hasher, headers: undefined });
  const retry = { metadata: quickRetry, download: quickRetry };
  const writer = createHubWriter({ store: "huggingface", endpoint, cacheDir, disk, hasher, reader, reserveBytes: 0, retry });
  await writer.pull(request, { id: "a1", progress: () => {}, signal: new AbortController().signal });
  process.exit(0);
}

function mortal(disk: Disk, dieAtStep: number | undefined): Disk {
  let step = 0;
  const mortally = async <T>(action: () => Promise<T>): Promise<T> => {
    dieMaybe();
    const result = await action();
    dieMaybe();
    return result;
  };
  const dieMaybe = (): void => {
    step += 1;
    if (step === dieAtStep) process.kill(process.pid, "SIGKILL");
  };
  return {
    ...disk,
    writeDurable: (path, data, options) => mortally(() => disk.writeDurable(path, data, options)),
    promote: (temporary, final, options) => mortally(() => disk.promote(temporary, final, options)),
    link: (target, path) => mortally(() => disk.link(target, path)),
  };
}

const task = process.env["HOLDFAST_TEST_TASK"];
if (task !== undefined) await run(JSON.parse(task));
