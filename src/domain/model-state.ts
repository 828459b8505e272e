import type { Holding, LoadedModel, Observation } from "./observed.ts";
import { isStaleRunner, staysForEver } from "./plan/kept-loaded.ts";
import type { Instant, Milliseconds } from "./resource.ts";

/** A model in the memory of its server. Sizes in bytes. */
export interface Loaded {
  readonly sizeVram: number;
  /** All memory it takes, when known. */
  readonly size?: number;
  readonly expiresAt?: Instant;
  /** Tokens it was loaded with. */
  readonly contextLength?: number;
  /** The server still runs an earlier content of this name. */
  readonly stale: boolean;
}

/** Where a model is between the registry and memory (requirements 3.1). Nothing observed is no state of its own: the last known one stays. */
export type ModelState =
  | { readonly state: "not-present" }
  | { readonly state: "pulling" }
  | { readonly state: "available" }
  | { readonly state: "loading" }
  | ({ readonly state: "loaded" } & Loaded)
  /** Left by the next successful observation. */
  | { readonly state: "error"; readonly during: "pulling" | "loading"; readonly reason: string };

/** One model with its state and when it was last in use. */
export interface ModelStatusRecord {
  readonly name: string;
  readonly now: ModelState;
  /** Bytes. */
  readonly sizeBytes?: number;
  /** Kept when the state changes. */
  readonly lastUsed?: Instant;
}

/** What can happen to a model between two looks at its server. */
export type ModelEvent =
  | { readonly kind: "pull-started" }
  | { readonly kind: "pull-ended" }
  | { readonly kind: "load-started" }
  | { readonly kind: "used"; readonly at: Instant }
  | { readonly kind: "failed"; readonly reason: string };

/** What one look says about a model: what its store holds, that it holds nothing, or nothing at all. */
export type Sight = { readonly seen: "present"; readonly holding: Holding } | { readonly seen: "absent" } | { readonly seen: "nothing" };

/** The state after an event; events that make no sense where a model is change nothing. */
export function afterEvent(record: ModelStatusRecord, event: ModelEvent): ModelStatusRecord {
  if (event.kind === "used") return isHere(record.now) ? { ...record, lastUsed: latest(record.lastUsed, event.at) } : record;
  const next = nextState(record.now, event);
  return next === undefined ? record : { ...record, now: next };
}

function isHere({ state }: ModelState): boolean {
  return state !== "not-present" && state !== "pulling";
}

function nextState(now: ModelState, event: Exclude<ModelEvent, { kind: "used" }>): ModelState | undefined {
  switch (event.kind) {
    case "pull-started":
      return ["not-present", "error", "available"].includes(now.state) ? { state: "pulling" } : undefined;
    case "pull-ended":
      return now.state === "pulling" ? { state: "available" } : undefined;
    case "load-started":
      return mayLoad(now) ? { state: "loading" } : undefined;
    case "failed":
      return now.state === "pulling" || now.state === "loading" ? { state: "error", during: now.state, reason: event.reason } : undefined;
  }
}

function mayLoad(now: ModelState): boolean {
  return now.state === "available" || (now.state === "error" && now.during === "loading");
}

/** The state after a look at the server. Work under way is not forgotten: a pull ends when its model is there, a load when it is in memory. */
export function afterSight(record: ModelStatusRecord, sight: Sight, at: Instant): ModelStatusRecord {
  if (sight.seen === "nothing") return record;
  if (sight.seen === "absent") {
    const { sizeBytes: _gone, ...rest } = record;
    return record.now.state === "pulling" ? record : { ...rest, now: { state: "not-present" } };
  }
  const { holding } = sight;
  const sizeBytes = holding.artifacts.reduce((sum, artifact) => sum + artifact.size, 0);
  if (holding.loaded !== undefined) {
    const loaded = loadedOf(holding, holding.loaded);
    // Every request moves the expiry; one that stayed where it was says that nobody used the model since the last look.
    const isUnused = record.now.state === "loaded" && record.now.expiresAt === loaded.expiresAt;
    return { ...record, sizeBytes, now: { state: "loaded", ...loaded }, ...(isUnused ? {} : { lastUsed: latest(record.lastUsed, at) }) };
  }
  // A model that is pulled again stays listed with its earlier content until the new one is complete.
  const busy = record.now.state === "loading" || (record.now.state === "pulling" && record.sizeBytes !== undefined);
  return { ...record, sizeBytes, now: busy ? record.now : { state: "available" } };
}

function loadedOf(holding: Holding, loaded: LoadedModel): Loaded {
  const { size, sizeVram, expiresAt, contextLength } = loaded;
  return {
    sizeVram,
    ...(size === undefined ? {} : { size }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(contextLength === undefined ? {} : { contextLength }),
    stale: isStaleRunner(holding),
  };
}

function latest(a: Instant | undefined, b: Instant): Instant {
  return a === undefined || a < b ? b : a;
}

/** What a look at a store says about one of its references; only a complete look proves absence. */
export function sightOf(observation: Observation | undefined, find: (holdings: readonly Holding[]) => Holding | undefined): Sight {
  if (observation?.state !== "observed") return { seen: "nothing" };
  const holding = find(observation.holdings);
  if (holding !== undefined) return { seen: "present", holding };
  return observation.complete ? { seen: "absent" } : { seen: "nothing" };
}

/** Says for people what a model is doing, for example `loaded, 5.2 GB VRAM, for 4m`. The two formatters turn bytes and times into text. */
export function describeState(
  state: ModelState,
  now: Instant,
  format: { readonly bytes: (bytes: number) => string; readonly duration: (ms: Milliseconds) => string },
): string {
  if (state.state === "error") return `error while ${state.during}: ${state.reason}`;
  if (state.state !== "loaded") return state.state;
  const parts = [
    "loaded",
    state.sizeVram > 0 ? `${format.bytes(state.sizeVram)} VRAM` : state.size === undefined ? "no VRAM" : `${format.bytes(state.size)} RAM`,
    ...timeLeft(state, now, format.duration),
    ...(state.stale ? ["runs an older content"] : []),
  ];
  return parts.join(", ");
}

function timeLeft(loaded: Loaded, now: Instant, format: (ms: Milliseconds) => string): readonly string[] {
  if (loaded.expiresAt === undefined) return [];
  if (staysForEver(loaded, now)) return ["for ever"];
  const left = Date.parse(loaded.expiresAt) - Date.parse(now);
  return Number.isNaN(left) ? [] : [left > 0 ? `for ${format(left)}` : "expiring"];
}

const written: Readonly<Record<ModelState["state"], (value: Readonly<Record<string, unknown>>) => boolean>> = {
  "not-present": () => true,
  pulling: () => true,
  available: () => true,
  loading: () => true,
  loaded: ({ sizeVram, stale }) => typeof sizeVram === "number" && typeof stale === "boolean",
  error: ({ during, reason }) => (during === "pulling" || during === "loading") && typeof reason === "string",
};

/** True for a value that was a state when it was written down. */
export function isModelState(value: unknown): value is ModelState {
  if (typeof value !== "object" || value === null || !("state" in value)) return false;
  const check = Object.entries(written).find(([state]) => state === value.state)?.[1];
  return check?.({ ...value }) === true;
}
