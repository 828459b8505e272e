import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { createActivationFiles } from "../../../src/adapters/process/activation-files.ts";
import { createEngineProcesses } from "../../../src/adapters/process/engine-processes.ts";
import { createGpuMeter } from "../../../src/adapters/process/gpu-meter.ts";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createClock } from "../../../src/adapters/system/clock.ts";
import { createServingEngine } from "../../../src/adapters/vllm/serving-engine.ts";
import { createServingReader } from "../../../src/adapters/vllm/serving-reader.ts";
import type { ActivationRequest, SwitchOptions } from "../../../src/app/activation/activate.ts";
import { recordPath, scopeOf, type ActivationHost } from "../../../src/app/activation/activation-host.ts";
import { decodeRecord } from "../../../src/domain/activation/record.ts";
import type { ActivationRecord, ProcessFacts } from "../../../src/domain/activation/activation.ts";
import type { Backend } from "../../../src/domain/backend.ts";
import type { Model } from "../../../src/domain/model.ts";
import type { Holding } from "../../../src/domain/observed.ts";
import type { ModelReader } from "../../../src/ports/model-store.ts";
import type { ProgressEvent } from "../../../src/ports/progress.ts";
import { backendOf, modelOf } from "../../fakes/content.ts";

/** The stand-in for vLLM, started with this Node. */
export const standInCommand: readonly string[] = [process.execPath, new URL("../../fakes/vllm/vllm.ts", import.meta.url).pathname];

/** A machine with one backend on a free port, real processes, and the stand-in for vLLM. */
export interface ServingWorld {
  readonly root: string;
  readonly port: number;
  readonly backend: Backend;
  readonly host: ActivationHost;
  readonly stateFile: string;
  readonly events: ProgressEvent[];
  options(signal?: AbortSignal): SwitchOptions;
  /** Makes the files of a model and declares it. */
  model(name: string, switches?: Readonly<Record<string, string>>, overrides?: Partial<Model>): Promise<Omit<ActivationRequest, "backend">>;
  record(): Promise<ActivationRecord | undefined>;
  /** Every live process of this world's engines. */
  ours(): readonly ProcessFacts[];
  /** Ids that answer on the port; none when nothing listens. */
  served(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What a world may be made of instead of the usual. */
export interface WorldOptions {
  /** A new folder when left out; only for `useWorlds`. */
  readonly root?: string;
  readonly backend?: Partial<Backend>;
  readonly env?: NodeJS.ProcessEnv;
  readonly port?: number;
}

/** Builds a world below an empty folder. The same folder and port give the same world again. */
export async function servingWorld(root: string, { backend: overrides = {}, env = {}, port: fixed }: WorldOptions = {}): Promise<ServingWorld> {
  const port = fixed ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const backend = backendOf("gpu", {
    type: "vllm",
    url,
    launch: { command: standInCommand, env: {} },
    active: { kind: "model", name: "a" },
    activation: { startTimeout: 20_000, stopTimeout: 4_000, rollback: true, smokeTest: true, maxAttempts: 3 },
    ...overrides,
  });
  const events: ProgressEvent[] = [];
  const host: ActivationHost = {
    clock: createClock(),
    processes: createEngineProcesses({ env: { PATH: process.env["PATH"], ...env } }),
    files: createActivationFiles(createDisk({ quarantineRoot: join(root, ".holdfast", "quarantine") })),
    gpu: createGpuMeter({ env: { PATH: process.env["PATH"], ...env } }),
    progress: (event) => void events.push(event),
    readers: [folderReader()],
    serving: [createServingReader({ backend: "gpu", url })],
    engines: [createServingEngine({ backend: "gpu", url })],
    paths: { root, records: join(root, ".holdfast", "serving"), logs: join(root, "logs") },
  };
  const stateFile = join(root, "_staging", "active_vllm.json");
  const ours = (): readonly ProcessFacts[] => host.processes.find({ kind: "marked", scope: scopeOf(host.paths, "gpu"), leaders: [] });
  return {
    root,
    port,
    backend,
    host,
    stateFile,
    events,
    options: (signal = new AbortController().signal) => ({ id: "a1", stateFile, signal }),
    model: (name, switches = {}, changes = {}) => declareModel(root, name, switches, changes),
    record: async () => {
      const text = await host.files.read(recordPath(host.paths, "gpu"));
      return text === undefined ? undefined : decodeRecord(text);
    },
    ours,
    served: async () => {
      const seen = await host.serving[0]?.observe(new AbortController().signal);
      return seen?.state === "serving" && seen.healthy ? seen.models.map((model) => model.id) : [];
    },
    close: async () => {
      await host.processes.stop({ set: { kind: "marked", scope: scopeOf(host.paths, "gpu"), leaders: [] }, timeout: 0 });
    },
  };
}

async function declareModel(
  root: string,
  name: string,
  switches: Readonly<Record<string, string>>,
  changes: Partial<Model>,
): Promise<Omit<ActivationRequest, "backend">> {
  const dir = join(root, "models", name);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "config.json"), JSON.stringify({ name }), { flag: "wx" }).catch(() => {});
  const model = modelOf(name, { kind: "path", dir }, { backend: "gpu", launch: { args: [], env: switches }, ...changes });
  return { model, holding: await readFolder(dir) };
}

/** Reads folders of models as they are, hashing every file. */
function folderReader(): ModelReader {
  return {
    store: "directory",
    observe: async () => ({ state: "observed", store: "directory", complete: false, holdings: [], unreadable: [], warnings: [] }),
    inspect: async (ref) => readFolder(ref).catch(() => undefined),
  };
}

async function readFolder(dir: string): Promise<Holding> {
  const artifacts = await Promise.all(
    (await readdir(dir)).toSorted().map(async (path) => {
      const bytes = await readFile(join(dir, path));
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return {
        path,
        size: bytes.length,
        blob: path,
        found: { state: "present", level: "full", sha256, verifiedAt: "2026-01-01T00:00:00.000Z" },
      } as const;
    }),
  );
  return { store: "directory", ref: dir, names: [], artifacts, facts: { capabilities: {} }, location: dir };
}

let portsTried = 0;

/** A free port outside of the range from which the system takes ports for outgoing connections, so that it stays free until a server binds it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + ((process.pid * 61 + (portsTried += 1)) % 20_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
