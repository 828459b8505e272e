import type { SourceLocation } from "./diagnostic.ts";
import type { StoreId, VerificationLevel } from "./observed.ts";
import type { Instant, ResourceKey } from "./resource.ts";

/** The kinds of difference between what is declared and what is there. */
export type DriftClass =
  | "missing"
  | "extra"
  | "digest"
  | "incomplete"
  | "corrupt"
  | "config"
  | "role"
  | "backend"
  | "stale-runner"
  | "upstream-moved"
  | "unverified"
  | "unknown";

/** One difference. `id` depends on class, object and place only, so that reports of different passes speak of the same drift. */
export interface Drift {
  readonly id: string;
  readonly class: DriftClass;
  /** `model/<name>` or, for things nobody declared, `holding/<store>/<ref>`. */
  readonly object: ResourceKey | `holding/${string}` | `store/${string}`;
  readonly store?: StoreId;
  readonly ref?: string;
  /** File or layer inside the model. */
  readonly path?: string;
  readonly message: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly level: VerificationLevel;
  readonly location?: SourceLocation;
  /** What the plan does about it, for example `repair`, or why it does nothing. */
  readonly response: string;
}

/** The drift report's data: published as `configs/drift-report.json`, format version 1. */
export interface DriftReport {
  readonly formatVersion: "1.0";
  readonly revision: { readonly commit?: string; readonly dirty: boolean; readonly digest: string };
  readonly observedAt: Instant;
  readonly level: VerificationLevel;
  readonly summary: Readonly<Record<DriftClass, number>>;
  /** Declared models that match, by name. */
  readonly inSync: readonly string[];
  readonly drifts: readonly Drift[];
  /** Oldest and newest proof of the bytes behind this report, over the declared models. */
  readonly verifiedAt: { readonly oldest?: Instant; readonly newest?: Instant; readonly never: readonly string[] };
}
