import type { StoreId } from "./observed.ts";

/** Something at a reference in a store. */
export interface Place {
  readonly store: StoreId;
  readonly ref: string;
}

/** One text for all spellings of a place; Ollama finds names without regard to case. */
export function placeKey({ store, ref }: Place): string {
  return `${store}|${store.startsWith("ollama:") ? ref.toLowerCase() : ref}`;
}

const indexes = new WeakMap<readonly Place[], ReadonlyMap<string, readonly number[]>>();

function indexOf(items: readonly Place[]): ReadonlyMap<string, readonly number[]> {
  const known = indexes.get(items);
  if (known !== undefined) return known;
  const index = Map.groupBy(items.keys(), (position) => keyAt(items, position));
  indexes.set(items, index);
  return index;
}

function keyAt(items: readonly Place[], position: number): string {
  const item = items[position];
  return item === undefined ? "" : placeKey(item);
}

/** Everything in a list that is at a place, in the order of the list. Lists are indexed once, so that thousands of questions stay cheap. */
export function allAt<T extends Place>(items: readonly T[], place: Place): readonly T[] {
  return (indexOf(items).get(placeKey(place)) ?? []).flatMap((position) => items[position] ?? []);
}

/** The thing at a place: the exact spelling when there is one. */
export function itemAt<T extends Place>(items: readonly T[], place: Place): T | undefined {
  const found = allAt(items, place);
  return found.find((item) => item.ref === place.ref) ?? found[0];
}
