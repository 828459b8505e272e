import type { Failure } from "../../domain/failure.ts";
import type { MemoryChange } from "../../domain/inventory.ts";
import { applyMemoryChange } from "../../domain/memory-changes.ts";
import type { StoreId } from "../../domain/observed.ts";
import { plan } from "../../domain/plan/plan.ts";
import type { ProgressSink } from "../../ports/progress.ts";
import { downloadKeys, registryChanges, type RegistryChanges } from "../../registry/changes.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import type { Projection } from "../../registry/project.ts";
import { resetDiscovered } from "../../registry/retire.ts";
import type { Host } from "../host.ts";
import { preview, type Preview } from "../preview.ts";
import { projectFiles } from "../publish.ts";
import { writeRegistry, type EditedProject, type RegistryWrite } from "./registry-files.ts";
import type { EditOptions } from "./retire-entries.ts";

/** How to rebuild. */
export interface RebuildOptions extends EditOptions {
  /** Forget the discovered entries of this backend type first, or of `all`; without it, only gaps are filled. */
  readonly reset?: string;
  /** Label for `download_location` of Ollama entries that have none. */
  readonly location?: string;
  readonly progress: ProgressSink;
}

/** What a rebuild changed, or would change. */
export interface Rebuild extends RegistryWrite {
  readonly changes: RegistryChanges;
  /** Ollama stores that could not be looked at; then nothing was changed. */
  readonly unknown: readonly { readonly store: StoreId; readonly failure: Failure }[];
}

/**
 * Imports what the stores hold and fills in what entries do not say yet; roles, locks, probes, aliases and curated values stay. With `reset` the
 * entries are made anew. A store that cannot be observed leaves everything as it was.
 */
export async function rebuildEntries(
  host: Host,
  { project, registry }: EditedProject,
  options: RebuildOptions,
  signal: AbortSignal,
): Promise<Rebuild> {
  const desired = host.withDefaults(project.desired, "always");
  const planOptions = { ...host.planDefaults, unmanaged: "import" as const };
  const looking = { level: "stat" as const, plan: planOptions, purpose: "server" as const, progress: options.progress };
  const view = await preview(host, { ...project, desired }, looking, signal);
  const unknown = view.observed.stores.flatMap((store) =>
    store.state === "unknown" && concerns(store.store, options.reset) ? [{ store: store.store, failure: store.failure }] : [],
  );
  if (unknown.length > 0) return { changes: { added: [], removed: [], changed: [] }, unknown, files: [], backups: [] };
  const { projection, memoryChanges } = await rebuilt(host, view, registry.discovered, options);
  const changes = registryChanges(registry.discovered, entriesOf(projection), downloadKeys);
  if (!options.write) return { changes, unknown: [], files: [], backups: [] };
  await host.state.commit(memoryChanges);
  return { changes, unknown: [], ...(await writeRegistry(host, projection, options.backup)) };
}

function concerns(store: StoreId, reset: string | undefined): boolean {
  return reset === "all" || (reset !== undefined && reset !== "ollama" ? !store.startsWith("ollama:") : store.startsWith("ollama:"));
}

/** The registry with the entries made anew or completed; computed whole before anything is written. */
async function rebuilt(
  host: Host,
  view: Preview,
  before: readonly RegistryEntry[],
  { reset, location }: RebuildOptions,
): Promise<{ readonly projection: Projection; readonly memoryChanges: readonly MemoryChange[] }> {
  const forgotten = reset === undefined ? { kept: before, changes: [] } : resetDiscovered(before, reset);
  const after = forgotten.changes.reduce(applyMemoryChange, view.memory);
  const found = plan({ ...view.input, memory: after }).bookkeeping.filter((change) => change.kind === "discover" || change.kind === "undiscover");
  const memory = found.reduce(applyMemoryChange, after);
  const projection = await projectFiles(host, { ...view, memory }, forgotten.kept);
  const memoryChanges = [...forgotten.changes, ...found];
  if (location === undefined) return { projection, memoryChanges };
  const labelled = entriesOf(projection).map((entry) =>
    entry.backend === "ollama" ? { ...entry, download_location: entry.download_location ?? location } : entry,
  );
  return { projection: await projectFiles(host, { ...view, memory }, labelled), memoryChanges };
}

function entriesOf({ discovered }: Projection): readonly RegistryEntry[] {
  return decodeRegistry(discovered, "discovered").entries;
}
