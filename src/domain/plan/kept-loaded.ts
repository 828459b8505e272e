import type { Assessment } from "./assess.ts";
import type { InventoryItem } from "../inventory.ts";
import type { KeepLoaded } from "../model.ts";
import type { Holding, LoadedModel, Observation, ObservedState } from "../observed.ts";
import { observationOf, sameRef } from "../placement.ts";
import type { Instant } from "../resource.ts";

type Held = Extract<Assessment, { state: "held" }>;
type Seen = Extract<Observation, { state: "observed" }>;

/** Nobody asks for a century: Ollama shows `for ever` as an expiry some 290 years ahead. */
const forEver = 100 * 365 * 86_400_000;

/** True when a model stays in memory until somebody unloads it. */
export function staysForEver({ expiresAt }: Pick<LoadedModel, "expiresAt">, now: Instant): boolean {
  return expiresAt === undefined || Date.parse(expiresAt) - Date.parse(now) > forEver;
}

/** True when a server still runs an earlier content of the name. */
export function isStaleRunner({ contentId, loaded }: Pick<Holding, "contentId" | "loaded">): boolean {
  return loaded?.digest !== undefined && contentId !== undefined && loaded.digest !== contentId;
}

/**
 * What runs the present content of a holding. Ollama keeps one runner per weights file and lists it under the name that loaded it, so a model may be in
 * memory under another name of the same content (reference/ollama.md 2.3).
 */
export function runnerOf(holding: Holding, { holdings }: Pick<Seen, "holdings">): LoadedModel | undefined {
  if (holding.loaded !== undefined) return isStaleRunner(holding) ? undefined : holding.loaded;
  return holdings.find((other) => other.loaded !== undefined && !isStaleRunner(other) && sharesRunner(other, holding))?.loaded;
}

/** True when two names of a store are served by one runner. */
export function sharesRunner(a: Holding, b: Holding): boolean {
  if (a.contentId !== undefined && a.contentId === b.contentId) return true;
  const weights = weightsOf(a);
  return weights !== undefined && weights === weightsOf(b);
}

function weightsOf({ artifacts }: Holding): string | undefined {
  return artifacts.find((artifact) => artifact.mediaType?.endsWith(".image.model") === true)?.path;
}

/** What is asked for a holding: of all declared models that share its runner, the longest wish, because they share one expiry. */
export function wishFor(holding: Holding, assessments: readonly Assessment[]): KeepLoaded | undefined {
  const wishes = assessments
    .filter((assessment): assessment is Held => assessment.state === "held" && assessment.store === holding.store)
    .filter((held) => sameRef(held.store, held.holding.ref, holding.ref) || sharesRunner(held.holding, holding))
    .flatMap(({ model }) => (model.lifecycle.state === "active" && model.keepLoaded !== undefined ? [model.keepLoaded] : []));
  return wishes.toSorted(byLength).at(-1);
}

function byLength(a: KeepLoaded, b: KeepLoaded): number {
  if (a === b) return 0;
  if (a === "forever") return 1;
  return b === "forever" ? -1 : a - b;
}

/** True when a model is in memory only because Holdfast loaded it: it still has the kind of expiry that was asked for. */
function isOurLoad(item: Pick<InventoryItem, "keepLoaded">, loaded: LoadedModel, now: Instant): boolean {
  return item.keepLoaded !== undefined && staysForEver(loaded, now) === (item.keepLoaded === "forever");
}

/** The runner of an owned model that may be taken out of memory, and why: it is an earlier content, or nobody asks for it any more. */
export function releaseOf(
  item: InventoryItem | undefined,
  holding: Holding,
  assessments: readonly Assessment[],
  { observed, now }: { readonly observed: ObservedState; readonly now: Instant },
): { readonly because: "stale-runner" | "not-asked-for"; readonly runner: LoadedModel } | undefined {
  const observation = observationOf(observed.stores, holding.store);
  if (item === undefined || observation?.state !== "observed" || observation.runtimeSeen !== true) return undefined;
  if (holding.loaded !== undefined && isStaleRunner(holding)) return { because: "stale-runner", runner: holding.loaded };
  const runner = runnerOf(holding, observation);
  if (runner === undefined || !isOurLoad(item, runner, now) || wishFor(holding, assessments) !== undefined) return undefined;
  return { because: "not-asked-for", runner };
}
