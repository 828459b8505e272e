import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Connections, Host, Purpose } from "../app/host.ts";
import { registryFiles } from "../app/publish.ts";
import type { Backend } from "../domain/backend.ts";
import type { DesiredState } from "../domain/desired.ts";
import type { Memory } from "../domain/inventory.ts";
import type { Model } from "../domain/model.ts";
import type { StoreId } from "../domain/observed.ts";
import { createDisk } from "../adapters/filesystem/disk.ts";
import { createOutputFiles } from "../adapters/filesystem/output-files.ts";
import { createClock } from "../adapters/system/clock.ts";
import type { LockFile } from "../domain/lock.ts";
import type { FileHasher } from "../ports/file-hasher.ts";
import type { HashCache } from "../ports/hash-cache.ts";
import type { OutputFiles } from "../ports/output-files.ts";
import { assignName } from "../registry/assign-name.ts";
import { curatedInput } from "../registry/curated-input.ts";
import type { Settings } from "../settings.ts";

/** A host and the way to let go of what it opened. */
export interface OpenHost {
  readonly host: Host;
  readonly close: () => Promise<void>;
}

/** What the composition is told about the program it runs in. `read` never creates a state database. */
export interface HostFacts {
  readonly name: string;
  readonly toolVersion: string;
  readonly access: "read" | "write";
  readonly warn: (message: string) => void;
}

/** The file writer alone, for commands that need no host. */
export function createOutputs(settings: Settings): OutputFiles {
  return createOutputFiles(createDisk({ quarantineRoot: settings.paths.quarantine }));
}

/** Composes use cases and adapters; opens nothing that is not used. */
export async function createHost(settings: Settings, facts: HostFacts): Promise<OpenHost> {
  const [{ createStateStore }, { createInstanceLock }, { createFileHasher }, { createProjectSource }] = await Promise.all([
    import("../adapters/sqlite/state-store.ts"),
    import("../adapters/sqlite/instance-lock.ts"),
    import("../adapters/hashing/file-hasher.ts"),
    import("../adapters/project/project-source.ts"),
  ]);
  const { paths, prune } = settings;
  const clock = createClock();
  const database = join(paths.state, "state.db");
  const mode = facts.access === "write" || existsSync(database) ? "write" : "read";
  const { stateStore, hashCache } = createStateStore({ path: database, clock, mode, warn: facts.warn });
  const hasher = createFileHasher({ cache: hashCache, workers: settings.concurrency.hashWorkers, clock });
  const host: Host = {
    name: facts.name,
    toolVersion: facts.toolVersion,
    paths: { root: paths.root, manifests: paths.manifests, lock: paths.lock, registry: paths.registry, reports: paths.reports },
    decode: {
      root: paths.root,
      home: homedir(),
      defaultModelsDir: paths.models,
      ollamaUrl: settings.ollama.url,
      ...(settings.ollama.store === undefined ? {} : { ollamaStore: settings.ollama.store }),
    },
    planDefaults: {
      prune: { ...prune, confirmedDeletions: 0, allowEmpty: false },
      unmanaged: settings.unmanaged,
      replace: [],
      only: [],
      acceptLoss: false,
    },
    includeTesting: settings.includeTestModels,
    concurrency: settings.concurrency.downloads,
    project: createProjectSource({
      root: paths.root,
      manifestsDir: paths.manifests,
      policiesDir: paths.policies,
      lockFile: paths.lock,
      curatedFile: join(paths.registry, registryFiles.curated),
      curatedInput,
    }),
    state: stateStore,
    lock: createInstanceLock({ directory: paths.state }),
    outputs: createOutputs(settings),
    clock,
    nameFor: (holding, taken) => assignName(holding, taken, settings.naming),
    withDefaults: (desired, needed) => withDefaultBackend(desired, needed, settings),
    connect: (desired, purpose, known) => connect(desired, purpose, known, { settings, hasher, hashCache, host }),
  };
  return {
    host,
    close: async () => {
      await hasher.close();
      stateStore.close();
    },
  };
}

const defaultBackendName = "ollama";

function withDefaultBackend(desired: DesiredState, needed: Memory | "always", { ollama }: Settings): DesiredState {
  if (desired.backends.some((backend) => backend.type === "ollama" || backend.metadata.name === defaultBackendName)) return desired;
  const wanted = needed === "always" || needed.inventory.some((item) => item.store === `ollama:${defaultBackendName}`);
  if (!wanted) return desired;
  const backend: Backend = {
    kind: "Backend",
    metadata: { name: defaultBackendName, labels: {}, annotations: {}, location: { file: "the settings", line: 1, column: 1 } },
    type: "ollama",
    url: ollama.url,
    ...(ollama.store === undefined ? {} : { store: ollama.store }),
    insecureRegistry: false,
    adopt: false,
    activation: { startTimeout: 900_000, stopTimeout: 60_000, rollback: true, smokeTest: true, maxAttempts: 3 },
  };
  return { ...desired, backends: [...desired.backends, backend] };
}

interface Parts {
  readonly settings: Settings;
  readonly hasher: FileHasher;
  readonly hashCache: HashCache;
  readonly host: Host;
}

async function connect(
  desired: DesiredState,
  purpose: Purpose,
  { memory, lock }: { readonly memory: Memory; readonly lock: LockFile },
  parts: Parts,
): Promise<Connections> {
  const [{ connectOllama }, { connectHub }, { connectServing, servingMachine }, { createModelHeaders }] = await Promise.all([
    import("./ollama.ts"),
    import("./hub.ts"),
    import("./serving.ts"),
    import("../adapters/model-files/model-headers.ts"),
  ]);
  const { settings, hasher, hashCache, host } = parts;
  const disk = createDisk({ quarantineRoot: settings.paths.quarantine });
  const shared = { settings, hasher, hashCache, disk, headers: createModelHeaders(), state: host.state, lock };
  const ollama = await connectOllama(
    desired.backends.filter((backend) => backend.type === "ollama"),
    purpose,
    shared,
  );
  const hub = await connectHub(folderRefs(desired.models, memory), shared);
  return {
    readers: [...ollama.readers, ...hub.readers],
    writers: [...ollama.writers, ...hub.writers],
    runtimes: ollama.runtimes,
    hubs: [...ollama.hubs, ...hub.hubs],
    ...(await connectServing(desired.backends, settings, process.env)),
    machine: await servingMachine(desired.backends, settings, disk, process.env),
  };
}

/** Plain folders that manifests declare or that the memory still knows. */
function folderRefs(models: readonly Model[], memory: Memory): readonly string[] {
  const declared = models.flatMap(({ source }) =>
    source.kind === "path" ? [source.dir] : source.kind === "huggingface" && source.layout === "dir" && source.dir !== undefined ? [source.dir] : [],
  );
  const store: StoreId = "directory";
  const known = memory.inventory.filter((item) => item.store === store).map((item) => item.ref);
  return [...new Set([...declared, ...known])].toSorted();
}
