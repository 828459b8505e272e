import fc from "fast-check";
import type { DesiredState } from "../../../src/domain/desired.ts";
import { emptyMemory, type Deprecation, type InventoryItem, type Memory } from "../../../src/domain/inventory.ts";
import type { LockFile } from "../../../src/domain/lock.ts";
import type { KeepLoaded, Model } from "../../../src/domain/model.ts";
import type { PlanInput, PlanOptions } from "../../../src/domain/plan/plan-input.ts";
import type { Upstream } from "../../../src/domain/upstream.ts";
import type { Holding, StoreId } from "../../../src/domain/observed.ts";
import { backendOf, holdingOf, hubContent, lockOf, modelOf, ollamaContent, upstreamOf, type Content } from "../../fakes/content.ts";
import { MemoryHub, MemoryState, MemoryStore } from "../../fakes/memory-store.ts";

/** Random machines with random manifests: what the laws of the planner are tried on. */

const seeds = ["one", "two", "three"] as const;
const names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"] as const;
type Name = (typeof names)[number];

interface Thing {
  readonly name: Name;
  readonly hub: boolean;
  readonly declared: "active" | "deprecated" | "no";
  readonly held: "no" | "whole" | "flipped" | "short" | "hole" | "other";
  readonly owned: boolean;
  readonly locked: boolean;
  readonly deprecatedDays: number | undefined;
  readonly confirmations: number;
  readonly upstream: "same" | "moved" | "gone" | "down";
  readonly protect: boolean;
  readonly keepLoaded: KeepLoaded | undefined;
  /** What its server runs, if it is an Ollama model that is there. */
  readonly loaded: "no" | "forever" | "for a while" | "an older content";
  /** What Holdfast loaded it with, if it owns it. */
  readonly kept: KeepLoaded | undefined;
}

const wishes = fc.constantFrom<KeepLoaded | undefined>(undefined, undefined, "forever", 1_800_000);

const thing = (name: Name): fc.Arbitrary<Thing> =>
  fc.record({
    name: fc.constant(name),
    hub: fc.boolean(),
    declared: fc.constantFrom("active", "active", "deprecated", "no"),
    held: fc.constantFrom("no", "whole", "whole", "flipped", "short", "hole", "other"),
    owned: fc.boolean(),
    locked: fc.boolean(),
    deprecatedDays: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
    confirmations: fc.integer({ min: 1, max: 2 }),
    upstream: fc.constantFrom("same", "same", "moved", "gone", "down"),
    protect: fc.boolean(),
    keepLoaded: wishes,
    loaded: fc.constantFrom("no", "no", "forever", "for a while", "an older content"),
    kept: wishes,
  });

export const planOptions: PlanOptions = {
  prune: { mode: "purge", grace: 7 * 86_400_000, maxDeletions: 5, maxDeletionPercent: 30, confirmedDeletions: 0, allowEmpty: false },
  unmanaged: "import",
  replace: [],
  only: [],
  acceptLoss: true,
};

const options: fc.Arbitrary<PlanOptions> = fc.record({
  prune: fc.record({
    mode: fc.constantFrom("purge", "purge", "deprecate", "forget", "off"),
    grace: fc.constant(7 * 86_400_000),
    maxDeletions: fc.constant(5),
    maxDeletionPercent: fc.constant(30),
    confirmedDeletions: fc.integer({ min: 0, max: 3 }),
    allowEmpty: fc.boolean(),
  }),
  unmanaged: fc.constantFrom("import", "ignore"),
  replace: fc.subarray([...names]),
  only: fc.constant([]),
  acceptLoss: fc.boolean(),
});

/** A machine: its stores, hubs and memory, the manifests, and which stores cannot be observed. */
export interface World {
  readonly stores: readonly MemoryStore[];
  readonly hubs: readonly MemoryHub[];
  readonly state: MemoryState;
  readonly desired: DesiredState;
  readonly lock: LockFile;
  readonly options: PlanOptions;
  readonly down: readonly StoreId[];
}

export const now = "2026-11-21T12:00:00.000Z";
const day = 86_400_000;

/** Builds a fresh machine each time it is called, so that one property can run the same case twice. */
export const world: fc.Arbitrary<() => World> = fc
  .record({ things: fc.tuple(...names.map(thing)), options, down: fc.subarray<StoreId>(["ollama:local", "huggingface"], { maxLength: 1 }) })
  .map(
    ({ things, options: chosen, down }) =>
      () =>
        buildWorld(things, chosen, down),
  );

function buildWorld(things: readonly Thing[], chosen: PlanOptions, down: readonly StoreId[]): World {
  const contents = new Map(
    [
      ...names.flatMap((name) => seeds.map((seed) => contentOf(name, seed, false))),
      ...names.flatMap((name) => seeds.map((seed) => contentOf(name, seed, true))),
    ].map((content) => [content.id, content]),
  );
  const ollama = new MemoryStore("ollama:local", contents);
  const hubStore = new MemoryStore("huggingface", contents);
  const registry = new MemoryHub("ollama");
  const hub = new MemoryHub("huggingface");
  const state = new MemoryState();
  const models = things.filter((item) => item.declared !== "no").map(modelFor);
  for (const item of things) {
    placeThing(item, item.hub ? hubStore : ollama);
    if (!item.hub) ollama.tags.set(refOf(item), wanted(item));
    offerThing(item, item.hub ? hub : registry);
  }
  state.memory = {
    ...emptyMemory,
    inventory: things.filter((item) => item.owned).map(inventoryFor),
    deprecations: things.flatMap(deprecationFor),
  } satisfies Memory;
  for (const store of [ollama, hubStore])
    if (down.includes(store.store)) store.failure = { code: "unreachable", retry: "transient", message: `${store.store} does not answer` };
  const entries = things.filter((item) => item.locked && item.declared !== "no").map((item) => lockOf(modelFor(item), refOf(item), wanted(item)));
  const desired: DesiredState = { revision: { dirty: false, digest: "d" }, models, roles: [], backends: [backendOf("local")], policies: [] };
  return { stores: [ollama, hubStore], hubs: [registry, hub], state, desired, lock: { version: 1, entries }, options: chosen, down };
}

function contentOf(name: string, seed: string, hub: boolean): Content {
  return hub ? hubContent(`${name} ${seed}`) : ollamaContent(`${name} ${seed}`);
}

const wanted = (item: Thing): Content => contentOf(item.name, "one", item.hub);
const held = (item: Thing): Content => contentOf(item.name, item.held === "other" ? "two" : "one", item.hub);

function refOf(item: Thing, content = wanted(item)): string {
  return item.hub ? `org/${item.name}@${content.id}` : `registry.ollama.ai/library/${item.name}:1b`;
}

function modelFor(item: Thing): Model {
  const source: Model["source"] = item.hub
    ? { kind: "huggingface", repo: `org/${item.name}`, revision: "main", include: [], exclude: [], layout: "cache" }
    : { kind: "ollama", model: `${item.name}:1b` };
  const kept = item.hub || item.keepLoaded === undefined ? {} : { keepLoaded: item.keepLoaded };
  return modelOf(item.name, source, {
    ...kept,
    protect: item.protect,
    lifecycle: { state: item.declared === "deprecated" ? "deprecated" : "active" },
  });
}

function placeThing(item: Thing, store: MemoryStore): void {
  if (item.held === "no") return;
  const content = held(item);
  const ref = refOf(item, content);
  store.holdings.set(ref, { ...holdingOf(store.store, ref, content, { names: item.hub ? ["main"] : [] }), ...loadedPart(item, ref, content) });
  if (item.held === "flipped") store.spoil(ref, 0, { state: "present", level: "stat", sha256: "0".repeat(64), verifiedAt: now });
  if (item.held === "short") store.spoil(ref, 0, { state: "incomplete", size: 1 });
  if (item.held === "hole") store.spoil(ref, 1, { state: "missing" });
}

function loadedPart(item: Thing, ref: string, content: Content): Pick<Holding, "loaded"> {
  if (item.hub || item.loaded === "no") return {};
  const digest = item.loaded === "an older content" ? contentOf(item.name, "three", false).id : content.id;
  const expiresAt = item.loaded === "for a while" ? "2026-11-21T12:10:00.000Z" : "2319-01-01T00:00:00.000Z";
  return { loaded: { ref, digest, sizeVram: 1000, expiresAt } };
}

function offerThing(item: Thing, hub: MemoryHub): void {
  const kind = item.hub ? "huggingface" : "ollama";
  const tag = item.hub ? `org/${item.name}@main` : refOf(item);
  const declared = item.hub ? tag : `${item.name}:1b`;
  const offered = contentOf(item.name, item.upstream === "moved" ? "three" : "one", item.hub);
  const answer: Upstream =
    item.upstream === "gone"
      ? {
          state: "failed",
          failure: { code: "not-found", retry: "terminal", message: "gone" },
          missingBlobs: wanted(item).files.map((file) => file.sha256),
        }
      : item.upstream === "down"
        ? { state: "failed", failure: { code: "unreachable", retry: "transient", message: "no answer" } }
        : upstreamOf(kind, offered);
  for (const key of [tag, declared]) hub.answers.set(key, answer);
  if (!item.hub || item.upstream === "gone" || item.upstream === "down") return;
  for (const seed of seeds)
    hub.answers.set(`org/${item.name}@${contentOf(item.name, seed, true).id}`, upstreamOf(kind, contentOf(item.name, seed, true)));
}

function inventoryFor(item: Thing): InventoryItem {
  const content = item.held === "no" ? wanted(item) : held(item);
  const store: StoreId = item.hub ? "huggingface" : "ollama:local";
  return {
    name: item.name,
    store,
    ref: refOf(item, content),
    contentId: content.id,
    origin: "pulled",
    since: now,
    sizeBytes: 1,
    protect: item.protect,
    ...(item.hub ? { revision: "main" } : item.kept === undefined ? {} : { keepLoaded: item.kept }),
  };
}

function deprecationFor(item: Thing): readonly Deprecation[] {
  if (item.deprecatedDays === undefined || item.held === "no") return [];
  const since = new Date(Date.parse(now) - item.deprecatedDays * day).toISOString();
  return [
    {
      name: item.name,
      store: item.hub ? "huggingface" : "ollama:local",
      ref: refOf(item, held(item)),
      since,
      reason: "not-in-manifests",
      confirmations: item.confirmations,
    },
  ];
}

/** The planner's input without upstream answers. */
export function inputOf(machine: World, memory: Memory, observed: PlanInput["observed"]): Omit<PlanInput, "upstream"> {
  return {
    desired: machine.desired,
    lock: machine.lock,
    observed,
    memory,
    options: machine.options,
    now,
    toolVersion: "test",
    nameFor: (holding) => `found ${holding.ref}`,
  };
}
