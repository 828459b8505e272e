import type { Diagnostic } from "../domain/diagnostic.ts";
import type { MemoryChange } from "../domain/inventory.ts";
import type { StoreId } from "../domain/observed.ts";
import type { Instant } from "../domain/resource.ts";
import type { RegistryEntry } from "./entry.ts";
import { ownRecordOf } from "./own-record.ts";
import { isPlaceholder } from "./placeholder.ts";

/** Entries that leave the discovered layer, and what must be remembered so that they stay away. */
export interface Retirement {
  /** The discovered entries that stay, for projecting on top of. */
  readonly kept: readonly RegistryEntry[];
  /** Names that go. */
  readonly retired: readonly string[];
  readonly changes: readonly MemoryChange[];
  readonly findings: readonly Diagnostic[];
}

/** Forgets the discovered entries of one backend, or of `all`. Declared models have their entry from the manifest and keep it. */
export function resetDiscovered(entries: readonly RegistryEntry[], backend: string): Retirement {
  const goes = (entry: RegistryEntry): boolean => (backend === "all" || entry.backend === backend) && ownRecordOf(entry)?.declared !== true;
  const changes = entries.filter(goes).flatMap((entry): readonly MemoryChange[] => {
    const record = ownRecordOf(entry);
    return record?.store === undefined || record.ref === undefined ? [] : [{ kind: "undiscover", store: record.store, ref: record.ref }];
  });
  return { kept: entries.filter((entry) => !goes(entry)), retired: entries.filter(goes).map((entry) => entry.name), changes, findings: [] };
}

/** Where and when an entry without a store of its own is remembered. */
export interface RetireContext {
  readonly store: StoreId;
  readonly now: Instant;
}

/** The decision to deprecate all placeholders; kept in memory, where no other program's save resets it. */
export function deprecatePlaceholders(entries: readonly RegistryEntry[], { store, now }: RetireContext): readonly MemoryChange[] {
  return entries
    .filter((entry) => isPlaceholder(entry) && !entry.deprecated)
    .map(({ name }): MemoryChange => ({
      kind: "deprecate",
      deprecation: { name, store, ref: name, since: now, reason: "placeholder", confirmations: 0 },
    }));
}

/** Which deprecated entries to remove for good. */
export interface PurgeOptions extends RetireContext {
  readonly placeholdersOnly: boolean;
  /** Entries of a curated file written by hand, which is never changed. */
  readonly curated: readonly RegistryEntry[];
}

/**
 * Removes deprecated entries that stand for nothing in a store, with a tombstone each. Models whose bytes are there are purged by a plan, and what a
 * curated file says is only reported.
 */
export function purgeDeprecatedEntries(entries: readonly RegistryEntry[], options: PurgeOptions): Retirement {
  const { store, now, placeholdersOnly } = options;
  const curated = new Set(options.curated.map((entry) => entry.name));
  const wanted = (entry: RegistryEntry): boolean => entry.deprecated && (!placeholdersOnly || isPlaceholder(entry));
  const goes = (entry: RegistryEntry): boolean => wanted(entry) && ownRecordOf(entry) === undefined && !curated.has(entry.name);
  const retired = entries.filter(goes).map((entry) => entry.name);
  const changes = retired.flatMap((name): readonly MemoryChange[] => [
    { kind: "undeprecate", store, ref: name },
    { kind: "bury", tombstone: { name, store, ref: name, sizeBytes: 0, purgedAt: now } },
  ]);
  const findings = options.curated.filter(wanted).map(({ name }): Diagnostic => {
    const message = `${name} is deprecated in the curated file, which is not changed`;
    return {
      severity: "warning",
      code: "registry.curated-deprecated",
      message,
      remedy: `remove the object with "name": ${JSON.stringify(name)} from the curated file`,
    };
  });
  return { kept: entries.filter((entry) => !goes(entry)), retired, changes, findings };
}
