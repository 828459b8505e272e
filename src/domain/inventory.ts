import type { Sha256 } from "./digest.ts";
import type { KeepLoaded } from "./model.ts";
import type { StoreId, VerificationLevel } from "./observed.ts";
import type { Instant, Milliseconds } from "./resource.ts";

/** A thing in a store that Holdfast put there or took over, and may therefore change or delete. */
export interface InventoryItem {
  /** Name of the Model it belongs to. */
  readonly name: string;
  readonly store: StoreId;
  readonly ref: string;
  readonly contentId?: string;
  /** Hub revision (branch, tag or commit) that was resolved to the content id. */
  readonly revision?: string;
  readonly contentDigest?: Sha256;
  readonly origin: "pulled" | "adopted";
  readonly since: Instant;
  readonly sizeBytes: number;
  /** As the manifest said last, so that leaving Git does not lose it. */
  readonly protect: boolean;
  readonly purgeAfter?: Milliseconds;
  /** What its server was asked when Holdfast loaded it last; undefined = Holdfast did not load it. */
  readonly keepLoaded?: KeepLoaded;
}

/** The decision that a model is on its way out; kept until it is purged or comes back. */
export interface Deprecation {
  readonly name: string;
  readonly store: StoreId;
  readonly ref: string;
  readonly since: Instant;
  readonly reason: "not-in-manifests" | "lifecycle" | "placeholder" | "unmanaged";
  /** Successful complete observations in which it was still deprecated; purging needs at least two. */
  readonly confirmations: number;
}

/** A holding nobody declared, with the name the registry gives it; assigned once and kept. */
export interface DiscoveredModel {
  readonly store: StoreId;
  readonly ref: string;
  readonly name: string;
  readonly firstSeen: Instant;
}

/** The memory of something that was purged, so that it can be fetched again and is not resurrected. */
export interface Tombstone {
  readonly name: string;
  readonly store: StoreId;
  readonly ref: string;
  readonly contentId?: string;
  readonly sizeBytes: number;
  readonly purgedAt: Instant;
  /** Folder under the quarantine root that still has the bytes. */
  readonly quarantine?: string;
}

/** When the bytes of a model were last proven. Only successes are recorded. */
export interface Verification {
  readonly name: string;
  readonly at: Instant;
  readonly level: VerificationLevel;
  readonly contentDigest: Sha256;
}

/** A store in which suspiciously much vanished at once; acted on only when seen twice. */
export interface Suspicion {
  readonly store: StoreId;
  /** SHA-256 over the sorted missing references. */
  readonly fingerprint: Sha256;
  readonly firstSeen: Instant;
}

/** Everything Holdfast remembers between passes, each list sorted. Losing it loses no model and deletes none. */
export interface Memory {
  readonly inventory: readonly InventoryItem[];
  readonly deprecations: readonly Deprecation[];
  readonly discovered: readonly DiscoveredModel[];
  readonly tombstones: readonly Tombstone[];
  readonly verifications: readonly Verification[];
  readonly suspicions: readonly Suspicion[];
}

/** The memory of a machine that Holdfast has never run on. */
export const emptyMemory: Memory = { inventory: [], deprecations: [], discovered: [], tombstones: [], verifications: [], suspicions: [] };

/** One change to the memory; applying it twice is the same as once. */
export type MemoryChange =
  | { readonly kind: "own"; readonly item: InventoryItem }
  /** What its server was asked to keep in memory; without `keepLoaded` nothing any more. Changes nothing where the model is not ours. */
  | { readonly kind: "kept"; readonly name: string; readonly store: StoreId; readonly ref: string; readonly keepLoaded?: KeepLoaded }
  | { readonly kind: "disown"; readonly name: string; readonly store: StoreId; readonly ref: string }
  | { readonly kind: "deprecate"; readonly deprecation: Deprecation }
  | { readonly kind: "undeprecate"; readonly store: StoreId; readonly ref: string }
  | { readonly kind: "discover"; readonly model: DiscoveredModel }
  | { readonly kind: "undiscover"; readonly store: StoreId; readonly ref: string }
  | { readonly kind: "bury"; readonly tombstone: Tombstone }
  | { readonly kind: "verified"; readonly verification: Verification }
  | { readonly kind: "suspect"; readonly suspicion: Suspicion }
  | { readonly kind: "unsuspect"; readonly store: StoreId };
