import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HubPull } from "../../../src/domain/action.ts";
import { createDirectoryReader } from "../../../src/adapters/directory/directory-reader.ts";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { createHubCacheReader } from "../../../src/adapters/huggingface/cache-reader.ts";
import { createHubWriter, type HubWriterOptions } from "../../../src/adapters/huggingface/writer.ts";
import type { RetryOptions } from "../../../src/adapters/huggingface/retry.ts";
import type { FileIdentity, HashCache } from "../../../src/ports/hash-cache.ts";
import type { ModelReader, ModelWriter, WriteContext } from "../../../src/ports/model-store.ts";
import type { ProgressEvent } from "../../../src/ports/progress.ts";
import { startFakeHub, type FakeHub } from "../../fakes/hub-server.ts";
import type { HubModel, HubModelFile } from "../../fakes/hub-model.ts";

export const quickRetry: RetryOptions = { retries: 5, initialDelayMs: 1, maxDelayMs: 5, longestWaitMs: 5000 };

/** A cache folder, a hub, and everything that works between them. */
export interface HubWorld {
  readonly root: string;
  readonly cacheDir: string;
  readonly quarantine: string;
  readonly hub: FakeHub;
  readonly reader: ModelReader;
  readonly writer: ModelWriter;
  readonly events: ProgressEvent[];
  writerWith(options: Partial<HubWriterOptions>): ModelWriter;
  context(signal?: AbortSignal): WriteContext;
  close(): Promise<void>;
}

export async function openHubWorld(
  models: readonly HubModel[],
  store: "huggingface" | "directory" = "huggingface",
  folders: readonly string[] = [],
): Promise<HubWorld> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-hub-"));
  const hub = await startFakeHub(models);
  const cacheDir = join(root, "hub");
  const quarantine = join(root, "quarantine");
  const hashCache = memoryHashCache();
  const hasher = createFileHasher({ cache: hashCache, workers: 1, clock: { now: () => new Date().toISOString() } });
  const disk = createDisk({ quarantineRoot: quarantine });
  const cacheReader = createHubCacheReader({ cacheDir, hasher, headers: undefined });
  const folderReader = createDirectoryReader({ folders: folders.map((name) => ({ ref: join(root, name) })), hasher, headers: undefined });
  const reader = store === "huggingface" ? cacheReader : folderReader;
  const events: ProgressEvent[] = [];
  const options: HubWriterOptions = {
    store,
    endpoint: hub.endpoint,
    cacheDir,
    disk,
    hasher,
    hashCache,
    reader,
    reserveBytes: 0,
    stallTimeoutMs: 5000,
    retry: { metadata: quickRetry, download: quickRetry },
  };
  return {
    root,
    cacheDir,
    quarantine,
    hub,
    reader,
    events,
    writer: createHubWriter(options),
    writerWith: (more) => createHubWriter({ ...options, ...more }),
    context: (signal = new AbortController().signal) => ({ id: "a1", progress: (event) => void events.push(event), signal }),
    async close() {
      await hub.close();
      await hasher.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export function memoryHashCache(): HashCache {
  const known = new Map<string, { sha256: string; at: string }>();
  const keyOf = (file: FileIdentity): string => Object.values(file).join(":");
  return {
    lookup: (files) => files.map((file) => known.get(keyOf(file))),
    remember: (entries) => {
      for (const { file, sha256, at } of entries) known.set(keyOf(file), { sha256, at });
    },
  };
}

export function pullOf(model: HubModel, more: Partial<HubPull> = {}): HubPull {
  return {
    kind: "huggingface",
    repo: model.repo,
    commit: model.commit,
    files: model.files.map(upstream),
    layout: "cache",
    refs: ["holdfast/test"],
    ...more,
  };
}

function upstream({ path, bytes, blobId, sha256, lfs }: HubModelFile): HubPull["files"][number] {
  return { path, size: bytes.length, blobId, ...(lfs ? { sha256 } : {}) };
}

export function refOf(model: HubModel): string {
  return `${model.repo}@${model.commit}`;
}

export function repoFolder(world: Pick<HubWorld, "cacheDir">, model: HubModel): string {
  return join(world.cacheDir, `models--${model.repo.replaceAll("/", "--")}`);
}
