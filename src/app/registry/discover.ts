import type { Failure } from "../../domain/failure.ts";
import type { DiscoveredModel, MemoryChange } from "../../domain/inventory.ts";
import { applyMemoryChange } from "../../domain/memory-changes.ts";
import type { StoreId } from "../../domain/observed.ts";
import type { ProgressSink } from "../../ports/progress.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { deprecatePlaceholders } from "../../registry/retire.ts";
import type { Host } from "../host.ts";
import { preview, type Preview } from "../preview.ts";
import { projectFiles, publish } from "../publish.ts";
import type { Project } from "../read-project.ts";
import { placeholderStore } from "./retire-entries.ts";

/** What an import found. */
export interface Discovery {
  readonly found: readonly DiscoveredModel[];
  readonly gone: readonly { readonly name: string; readonly ref: string }[];
  readonly known: number;
  readonly unknown: readonly { readonly store: StoreId; readonly failure: Failure }[];
  /** Placeholders of the first import strategy that are deprecated now. */
  readonly deprecated: readonly string[];
}

/** How to import. */
export interface DiscoverOptions {
  readonly write: boolean;
  readonly deprecatePlaceholders: boolean;
  readonly progress: ProgressSink;
}

/** Gives every model in the stores a place in the registry. A store that cannot be observed changes nothing. */
export async function discoverModels(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  options: DiscoverOptions,
  signal: AbortSignal,
): Promise<Discovery> {
  const desired = host.withDefaults(project.desired, "always");
  const planOptions = { ...host.planDefaults, unmanaged: "import" as const };
  const release = options.write ? await host.lock.acquire("import") : () => undefined;
  try {
    const view = await preview(
      host,
      { ...project, desired },
      { level: "stat", plan: planOptions, purpose: "server", progress: options.progress },
      signal,
    );
    const changes = view.plan.bookkeeping.filter((change) => change.kind === "discover" || change.kind === "undiscover");
    const gone = changes.flatMap((change) =>
      change.kind === "undiscover" ? view.memory.discovered.filter((model) => model.store === change.store && model.ref === change.ref) : [],
    );
    const after = changes.reduce(applyMemoryChange, view.memory);
    const retiring = options.deprecatePlaceholders ? await placeholdersIn(host, { ...view, memory: after }) : [];
    if (options.write) {
      await host.state.commit([...changes, ...retiring]);
      await publish(host, { ...view, memory: await host.state.load() });
    }
    return {
      found: changes.flatMap((change) => (change.kind === "discover" ? [change.model] : [])),
      gone: gone.map(({ name, ref }) => ({ name, ref })),
      known:
        view.observed.stores.reduce((total, store) => total + (store.state === "observed" ? store.holdings.length : 0), 0) -
        changes.filter((change) => change.kind === "discover").length,
      unknown: view.observed.stores.flatMap((store) => (store.state === "unknown" ? [{ store: store.store, failure: store.failure }] : [])),
      deprecated: retiring.flatMap((change) => (change.kind === "deprecate" ? [change.deprecation.name] : [])),
    };
  } finally {
    release();
  }
}

/** Placeholders that are left once every model in the stores has an entry of its own. */
async function placeholdersIn(host: Host, view: Preview): Promise<readonly MemoryChange[]> {
  const { entries } = decodeRegistry((await projectFiles(host, view)).discovered, "discovered");
  return deprecatePlaceholders(entries, { store: placeholderStore(host, view.project), now: host.clock.now() });
}
