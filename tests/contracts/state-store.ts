import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { compareText } from "../../src/domain/diagnostic.ts";
import {
  emptyMemory,
  type Deprecation,
  type DiscoveredModel,
  type InventoryItem,
  type Memory,
  type MemoryChange,
  type Suspicion,
  type Tombstone,
  type Verification,
} from "../../src/domain/inventory.ts";
import type { StoreId } from "../../src/domain/observed.ts";
import type { RunRecord, StateStore } from "../../src/ports/state-store.ts";

/** Opens the same state again and again; `fresh` starts with nothing. */
export interface StateStoreFixture {
  fresh(): Promise<StateStore>;
  reopen(): Promise<StateStore>;
}

/** What every StateStore must do. */
export function describeStateStore(name: string, fixture: () => StateStoreFixture): void {
  describe(`StateStore: ${name}`, () => {
    const opened: StateStore[] = [];
    afterEach(() => {
      for (const store of opened.splice(0)) store.close();
    });
    const track = async (opening: Promise<StateStore>): Promise<StateStore> => {
      const store = await opening;
      opened.push(store);
      return store;
    };

    it("starts with an empty memory and history", async () => {
      const store = await track(fixture().fresh());
      expect(await store.load()).toEqual(emptyMemory);
      expect(await store.runs(10)).toEqual([]);
      expect(await store.remembered("show", ["a"])).toEqual(new Map());
    });

    it("remembers what any sequence of changes comes to, across restarts", async () => {
      const { fresh, reopen } = fixture();
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(arbitraryChange, { maxLength: 8 }), { maxLength: 4 }), async (batches) => {
          const store = await fresh();
          for (const batch of batches) await store.commit(batch);
          const expected = memoryAfter(batches.flat());
          expect(await store.load()).toEqual(expected);
          store.close();
          const again = await reopen();
          expect(await again.load()).toEqual(expected);
          await again.commit(batches.at(-1) ?? []);
          expect(await again.load()).toEqual(expected);
          again.close();
        }),
        { numRuns: 60 },
      );
    });

    it("law: every field of every thing survives a restart, those that are optional too", async () => {
      const { fresh, reopen } = fixture();
      await fc.assert(
        fc.asyncProperty(fullMemory, async (memory) => {
          const store = await fresh();
          await store.commit([
            ...memory.inventory.map((item) => ({ kind: "own" as const, item })),
            ...memory.deprecations.map((deprecation) => ({ kind: "deprecate" as const, deprecation })),
            ...memory.discovered.map((model) => ({ kind: "discover" as const, model })),
            ...memory.tombstones.map((tombstone) => ({ kind: "bury" as const, tombstone })),
            ...memory.verifications.map((verification) => ({ kind: "verified" as const, verification })),
            ...memory.suspicions.map((suspicion) => ({ kind: "suspect" as const, suspicion })),
          ]);
          store.close();
          const again = await reopen();
          expect(await again.load()).toEqual(memory);
          again.close();
        }),
        { numRuns: 20 },
      );
    });

    it("gives back the newest runs first, whole", async () => {
      const store = await track(fixture().fresh());
      const runs = [3, 1, 2].map((hour): RunRecord => ({ ...run, id: `run-${hour}`, startedAt: `2026-11-21T0${hour}:00:00.000Z` }));
      for (const each of runs) await store.recordRun(each);
      await store.recordRun({ id: "bare", startedAt: "2026-11-21T04:00:00.000Z", endedAt: "x", command: "status", revision: "r", exitCode: 24 });
      expect((await store.runs(3)).map(({ id }) => id)).toEqual(["bare", "run-3", "run-2"]);
      const [bare, third] = await store.runs(2);
      expect(bare).toEqual({ id: "bare", startedAt: "2026-11-21T04:00:00.000Z", endedAt: "x", command: "status", revision: "r", exitCode: 24 });
      expect(third).toEqual(runs[0]);
    });

    it("remembers values by kind and key and returns only those that were asked for", async () => {
      const store = await track(fixture().fresh());
      await store.remember(
        "show",
        new Map([
          ["sha256:a", `{"x":1}`],
          ["sha256:b", "2"],
        ]),
      );
      await store.remember("probe", new Map([["sha256:a", "other"]]));
      await store.remember("show", new Map([["sha256:b", "3"]]));
      expect(await store.remembered("show", ["sha256:b", "sha256:a", "sha256:c"])).toEqual(
        new Map([
          ["sha256:a", `{"x":1}`],
          ["sha256:b", "3"],
        ]),
      );
      expect(await store.remembered("probe", ["sha256:b"])).toEqual(new Map());
    });
  });
}

const run: RunRecord = {
  id: "run",
  startedAt: "2026-11-21T10:00:00.000Z",
  endedAt: "2026-11-21T10:00:01.000Z",
  command: "reconcile --dry-run",
  revision: "abc",
  planDigest: "d".repeat(64),
  exitCode: 2,
  plan: `{"actions":[]}`,
  outcomes: "[]",
};

// Few names and places, so that changes meet each other.
const store = fc.constantFrom<StoreId>("huggingface", "directory", "ollama:local", "ollama:büro");
const name = fc.oneof(fc.constantFrom("a", "b", "z", "Ä", "\u{1F600}", "\uFFFD"), fc.string({ unit: "grapheme", maxLength: 4 }));
const ref = fc.oneof(fc.constantFrom("m:1", "m:2"), fc.string({ unit: "binary", maxLength: 4 }));
const instant = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((date) => date.toISOString());
const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
const size = fc.maxSafeNat();
const place = { name, store, ref };

/** How to make every field of a thing; one that was forgotten does not type-check. */
type Fields<T> = { readonly [K in keyof Required<T>]: fc.Arbitrary<Required<T>[K]> };

const inventoryFields: Fields<InventoryItem> = {
  ...place,
  contentId: ref,
  revision: ref,
  contentDigest: digest,
  origin: fc.constantFrom("pulled", "adopted"),
  since: instant,
  sizeBytes: size,
  protect: fc.boolean(),
  purgeAfter: fc.nat(),
  keepLoaded: fc.oneof(fc.constant("forever" as const), fc.nat()),
};
const deprecationFields: Fields<Deprecation> = {
  ...place,
  since: instant,
  reason: fc.constantFrom("not-in-manifests", "lifecycle", "placeholder", "unmanaged"),
  confirmations: fc.nat(),
};
const discoveredFields: Fields<DiscoveredModel> = { ...place, firstSeen: instant };
const tombstoneFields: Fields<Tombstone> = { ...place, contentId: ref, sizeBytes: size, purgedAt: instant, quarantine: name };
const verificationFields: Fields<Verification> = { name, at: instant, level: fc.constantFrom("presence", "stat", "full"), contentDigest: digest };
const suspicionFields: Fields<Suspicion> = { store, fingerprint: digest, firstSeen: instant };

/** One of each, with nothing left out. */
const fullMemory: fc.Arbitrary<Memory> = fc.record({
  inventory: fc.tuple(fc.record(inventoryFields)),
  deprecations: fc.tuple(fc.record(deprecationFields)),
  discovered: fc.tuple(fc.record(discoveredFields)),
  tombstones: fc.tuple(fc.record(tombstoneFields)),
  verifications: fc.tuple(fc.record(verificationFields)),
  suspicions: fc.tuple(fc.record(suspicionFields)),
});

const arbitraryChange: fc.Arbitrary<MemoryChange> = fc.oneof(
  fc.record({
    kind: fc.constant("own" as const),
    item: fc.record(inventoryFields, { requiredKeys: ["name", "store", "ref", "origin", "since", "sizeBytes", "protect"] }),
  }),
  fc.record({ kind: fc.constant("disown" as const), ...place }),
  fc.record(
    { kind: fc.constant("kept" as const), ...place, keepLoaded: inventoryFields.keepLoaded },
    { requiredKeys: ["kind", "name", "store", "ref"] },
  ),
  fc.record({ kind: fc.constant("deprecate" as const), deprecation: fc.record(deprecationFields) }),
  fc.record({ kind: fc.constantFrom("undeprecate" as const, "undiscover" as const), store, ref }),
  fc.record({ kind: fc.constant("discover" as const), model: fc.record(discoveredFields) }),
  fc.record({
    kind: fc.constant("bury" as const),
    tombstone: fc.record(tombstoneFields, { requiredKeys: ["name", "store", "ref", "sizeBytes", "purgedAt"] }),
  }),
  fc.record({ kind: fc.constant("verified" as const), verification: fc.record(verificationFields) }),
  fc.record({ kind: fc.constant("suspect" as const), suspicion: fc.record(suspicionFields) }),
  fc.record({ kind: fc.constant("unsuspect" as const), store }),
);

/** The plain meaning of the changes: the last word on each thing counts. */
function memoryAfter(changes: readonly MemoryChange[]): Memory {
  const lists = {
    inventory: new Map(),
    deprecations: new Map(),
    discovered: new Map(),
    tombstones: new Map(),
    verifications: new Map(),
    suspicions: new Map(),
  };
  const key = (...parts: readonly string[]): string => JSON.stringify(parts);
  for (const change of changes) {
    if (change.kind === "own") lists.inventory.set(key(change.item.name, change.item.store, change.item.ref), change.item);
    if (change.kind === "disown") lists.inventory.delete(key(change.name, change.store, change.ref));
    if (change.kind === "kept") {
      const item = lists.inventory.get(key(change.name, change.store, change.ref));
      const { keepLoaded: _before, ...rest } = item ?? {};
      const kept = change.keepLoaded === undefined ? {} : { keepLoaded: change.keepLoaded };
      if (item !== undefined) lists.inventory.set(key(change.name, change.store, change.ref), { ...rest, ...kept });
    }
    if (change.kind === "deprecate") lists.deprecations.set(key(change.deprecation.store, change.deprecation.ref), change.deprecation);
    if (change.kind === "undeprecate") lists.deprecations.delete(key(change.store, change.ref));
    if (change.kind === "discover") lists.discovered.set(key(change.model.store, change.model.ref), change.model);
    if (change.kind === "undiscover") lists.discovered.delete(key(change.store, change.ref));
    if (change.kind === "bury") lists.tombstones.set(key(change.tombstone.name, change.tombstone.store, change.tombstone.ref), change.tombstone);
    if (change.kind === "verified") lists.verifications.set(change.verification.name, change.verification);
    if (change.kind === "suspect") lists.suspicions.set(change.suspicion.store, change.suspicion);
    if (change.kind === "unsuspect") lists.suspicions.delete(change.store);
  }
  const sorted = <T extends { readonly name?: string; readonly store?: string; readonly ref?: string }>(list: ReadonlyMap<string, T>): readonly T[] =>
    [...list.values()].toSorted(
      (a, b) => compareText(a.name ?? "", b.name ?? "") || compareText(a.store ?? "", b.store ?? "") || compareText(a.ref ?? "", b.ref ?? ""),
    );
  return {
    inventory: sorted(lists.inventory),
    deprecations: sorted(lists.deprecations),
    discovered: sorted(lists.discovered),
    tombstones: sorted(lists.tombstones),
    verifications: sorted(lists.verifications),
    suspicions: sorted(lists.suspicions),
  };
}
