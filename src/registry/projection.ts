import type { DesiredState } from "../domain/desired.ts";
import type { Memory } from "../domain/inventory.ts";
import type { JsonObject } from "../domain/json.ts";
import type { LockFile } from "../domain/lock.ts";
import type { ObservedState } from "../domain/observed.ts";
import type { RegistryEntry, RegistryPerformance } from "./entry.ts";
import type { KnownModels } from "./known-models.ts";
import type { DecodedRegistry } from "./legacy.ts";
import type { NamingStrategy } from "./naming.ts";

/** What is settled about registry files. */
export interface ProjectionSettings {
  /** Test models that nobody declared are left out unless this is true. */
  readonly includeTesting: boolean;
  /** Further beginnings of test model names. */
  readonly testPatterns?: readonly string[];
  /** How holdings get names that the memory has no name for; without it they are left out until they are imported. */
  readonly naming?: NamingStrategy;
  /** Label for `download_location`, by store. */
  readonly locations?: Readonly<Record<string, string>>;
}

/** Probe and performance results by model name. */
export interface ModelHistory {
  readonly visionProbes?: Readonly<Record<string, JsonObject>>;
  readonly performance?: Readonly<Record<string, RegistryPerformance>>;
}

/** Everything that the registry files depend on. Equal inputs give equal bytes. */
export interface ProjectionInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly memory: Memory;
  readonly lock?: LockFile;
  /** A curated file, when there is one; entries that Holdfast wrote itself are passed over. */
  readonly curated?: Pick<DecodedRegistry, "entries" | "sparse">;
  /** The discovered file as it stands: keeps facts of stores that cannot be seen now, what other programs noted, and their entries. */
  readonly previous?: { readonly discovered: readonly RegistryEntry[] };
  readonly history?: ModelHistory;
  readonly settings: ProjectionSettings;
  /** Table of known models; the built-in one when left out. */
  readonly knownModels?: KnownModels;
}
