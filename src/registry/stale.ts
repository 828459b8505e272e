import type { JsonObject } from "../domain/json.ts";
import type { Memory } from "../domain/inventory.ts";
import { observationOf, sameRef } from "../domain/placement.ts";
import { withEarlierNames, withRecord } from "./carry.ts";
import type { RegistryEntry } from "./entry.ts";
import { ownRecordOf, type OwnRecord } from "./own-record.ts";
import type { ProjectionInput } from "./projection.ts";
import { readyCondition } from "./reconciler-record.ts";

/** The entry of a model that cannot be seen now: its last facts, marked as such. */
export function staleEntry(earlier: RegistryEntry, base: RegistryEntry): RegistryEntry {
  const record = ownRecordOf(base);
  const marked = asStale(earlier, record?.declared === true);
  const path = base.backend_config.model_path === "" ? earlier.backend_config.model_path : base.backend_config.model_path;
  const { name, display_name, backend, version_lock, deprecated } = base;
  const kept = { ...marked, name, display_name, backend, backend_config: { ...base.backend_config, model_path: path }, version_lock, deprecated };
  return withEarlierNames(kept, earlier, false);
}

function asStale(earlier: RegistryEntry, declared: boolean): RegistryEntry {
  const more: JsonObject = { state: "unknown", stale: true, declared, conditions: [readyCondition("unknown", "StoreUnknown")] };
  return withRecord(earlier, more);
}

/** Entries of models that nobody declares, in stores that cannot be seen now: what was there is not forgotten. */
export function staleEntries(
  previous: readonly RegistryEntry[],
  current: readonly RegistryEntry[],
  input: ProjectionInput,
): readonly RegistryEntry[] {
  const names = new Set(current.map((entry) => entry.name));
  const uids = new Set(current.map((entry) => ownRecordOf(entry)?.uid));
  return previous.flatMap((entry): readonly RegistryEntry[] => {
    const record = ownRecordOf(entry);
    if (record === undefined || names.has(entry.name) || uids.has(record.uid) || entry.metadata["created_from_download"] !== true) return [];
    if (!mayStillExist(record, input) || isBuried(record, input.memory)) return [];
    return [asStale(entry, false)];
  });
}

/** True when the store cannot say that the model is gone. */
function mayStillExist({ store, ref }: OwnRecord, { observed, desired }: ProjectionInput): boolean {
  if (store === undefined || ref === undefined) return false;
  const observation = observationOf(observed.stores, store);
  const declared = !store.startsWith("ollama:") || desired.backends.some((backend) => `ollama:${backend.metadata.name}` === store);
  if (observation === undefined) return declared;
  if (observation.state === "unknown") return true;
  if (observation.holdings.some((holding) => sameRef(store, holding.ref, ref))) return false;
  return !observation.complete || observation.unreadable.some((item) => sameRef(store, item.ref, ref));
}

function isBuried({ store, ref }: OwnRecord, memory: Memory): boolean {
  return memory.tombstones.some((tombstone) => tombstone.store === store && ref !== undefined && sameRef(tombstone.store, tombstone.ref, ref));
}
