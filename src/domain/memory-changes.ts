import { compareText } from "./diagnostic.ts";
import type { Memory, MemoryChange } from "./inventory.ts";
import { sameRef } from "./placement.ts";
import type { StoreId } from "./observed.ts";

interface Place {
  readonly store: StoreId;
  readonly ref: string;
}

function elsewhere(place: Place): (other: Place) => boolean {
  return (other) => other.store !== place.store || !sameRef(place.store, other.ref, place.ref);
}

function byPlace<T extends Place>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => compareText(a.store, b.store) || compareText(a.ref, b.ref));
}

/** The memory after one change; lists stay sorted, applying a change twice is the same as once. */
export function applyMemoryChange(memory: Memory, change: MemoryChange): Memory {
  switch (change.kind) {
    case "own": {
      const rest = memory.inventory.filter((item) => item.name !== change.item.name || elsewhere(change.item)(item));
      const inventory = [...rest, change.item].toSorted(
        (a, b) => compareText(a.name, b.name) || compareText(a.store, b.store) || compareText(a.ref, b.ref),
      );
      return { ...memory, inventory, tombstones: memory.tombstones.filter(elsewhere(change.item)) };
    }
    case "kept": {
      const isElsewhere = elsewhere(change);
      const inventory = memory.inventory.map((item) => {
        if (item.name !== change.name || isElsewhere(item)) return item;
        const { keepLoaded: _before, ...rest } = item;
        return change.keepLoaded === undefined ? rest : { ...rest, keepLoaded: change.keepLoaded };
      });
      return { ...memory, inventory };
    }
    case "disown":
      return { ...memory, inventory: memory.inventory.filter((item) => item.name !== change.name || elsewhere(change)(item)) };
    case "deprecate":
      return { ...memory, deprecations: byPlace([...memory.deprecations.filter(elsewhere(change.deprecation)), change.deprecation]) };
    case "undeprecate":
      return { ...memory, deprecations: memory.deprecations.filter(elsewhere(change)) };
    case "discover":
      return { ...memory, discovered: byPlace([...memory.discovered.filter(elsewhere(change.model)), change.model]) };
    case "undiscover":
      return { ...memory, discovered: memory.discovered.filter(elsewhere(change)) };
    case "bury":
      return { ...memory, tombstones: byPlace([...memory.tombstones.filter(elsewhere(change.tombstone)), change.tombstone]) };
    case "verified":
      return {
        ...memory,
        verifications: [...memory.verifications.filter((item) => item.name !== change.verification.name), change.verification].toSorted((a, b) =>
          compareText(a.name, b.name),
        ),
      };
    case "suspect":
      return {
        ...memory,
        suspicions: [...memory.suspicions.filter((item) => item.store !== change.suspicion.store), change.suspicion].toSorted((a, b) =>
          compareText(a.store, b.store),
        ),
      };
    case "unsuspect":
      return { ...memory, suspicions: memory.suspicions.filter((item) => item.store !== change.store) };
  }
}
