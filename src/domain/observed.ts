import type { Sha256 } from "./digest.ts";
import type { Failure } from "./failure.ts";
import type { Instant } from "./resource.ts";

/**
 * A place that holds models: `ollama:<backend>` (an Ollama store), `huggingface` (the Hub cache), `directory` (plain folders).
 */
export type StoreId = `ollama:${string}` | "huggingface" | "directory";

/** How sure we are of the bytes: `presence` = exists with the right size; `stat` = hashed earlier, file unchanged since; `full` = hashed now. */
export type VerificationLevel = "presence" | "stat" | "full";

/** What was found where one file of a model should be. */
export type ArtifactState =
  | { readonly state: "present"; readonly level: "presence" }
  | { readonly state: "present"; readonly level: "stat" | "full"; readonly sha256: Sha256; readonly verifiedAt: Instant }
  | { readonly state: "missing" }
  /** Exists with another size than declared; `size` is the size found, in bytes. */
  | { readonly state: "incomplete"; readonly size: number }
  | { readonly state: "unreadable"; readonly failure: Failure };

/** One file of a model as the store declares it, and what is really there. */
export interface ObservedArtifact {
  /** Path inside the model; for Ollama `sha256:<hex>` of config or layer. */
  readonly path: string;
  /** Declared size in bytes (found size where nothing declares one). */
  readonly size: number;
  /** SHA-256 that the store's own metadata declares for this file, when it declares one. */
  readonly declaredSha256?: Sha256;
  /** Key of the bytes within the store; equal keys are stored once. */
  readonly blob: string;
  /** Media type (Ollama layers), when known. */
  readonly mediaType?: string;
  readonly found: ArtifactState;
}

/** Where a fact comes from, strongest first. */
export type Provenance = "probe" | "show" | "model_info" | "header" | "known-model" | "name";

/** What is known of a model beyond its bytes. */
export interface ModelFacts {
  readonly format?: "gguf" | "safetensors" | "other";
  readonly family?: string;
  readonly architecture?: string;
  readonly parameterCount?: number;
  readonly parameterSize?: string;
  /** As reported, for example `Q4_K_M`. */
  readonly quantization?: string;
  /** Tokens. */
  readonly contextLength?: number;
  readonly embeddingLength?: number;
  readonly license?: string;
  /** Canonical capability name -> value and where it comes from. */
  readonly capabilities: Readonly<Record<string, { readonly value: boolean; readonly from: Provenance }>>;
  readonly chatTemplateSha256?: Sha256;
  /** Set for Ollama cloud stubs: no weights here, requests go to this host. */
  readonly remoteHost?: string;
}

/** A model that a server has in memory. Sizes in bytes. */
export interface LoadedModel {
  readonly ref: string;
  /** Bare hex digest the server reports for the loaded model. */
  readonly digest?: string;
  /** Memory it takes in all, when the server says so. */
  readonly size?: number;
  readonly sizeVram: number;
  readonly expiresAt?: Instant;
  readonly contextLength?: number;
}

/** One model that a store holds under one reference. */
export interface Holding {
  readonly store: StoreId;
  /**
   * Canonical reference within the store: Ollama `host/namespace/model:tag`; Hub cache `org/name@<40-hex commit>`; directory the absolute path.
   */
  readonly ref: string;
  /** Names that point here: Ollama none; Hub cache the refs (`main`, `holdfast/qwen3`). */
  readonly names: readonly string[];
  /** Ollama manifest digest (bare hex), Hub commit; undefined for plain folders. */
  readonly contentId?: string;
  /** Exact manifest text, for Ollama holdings that were read from disk or registry. */
  readonly manifest?: string;
  readonly artifacts: readonly ObservedArtifact[];
  readonly facts: ModelFacts;
  /** Absolute path a program can open: Ollama manifest file, snapshot folder, plain folder. */
  readonly location?: string;
  readonly modifiedAt?: Instant;
  readonly loaded?: LoadedModel;
}

/** A reference that exists in a store but cannot be understood, for example a torn manifest. */
export interface UnreadableHolding {
  readonly store: StoreId;
  readonly ref: string;
  readonly failure: Failure;
}

/** What one reader saw: either a snapshot of its store or, as a third state, nothing at all. */
export type Observation =
  | {
      readonly state: "observed";
      readonly store: StoreId;
      /** False when something was left out, so that absence proves nothing. */
      readonly complete: boolean;
      readonly holdings: readonly Holding[];
      readonly unreadable: readonly UnreadableHolding[];
      /** Free bytes on the file system of the store, when known. */
      readonly freeBytes?: number;
      readonly version?: string;
      /** True when a server said what it has in memory; otherwise a holding without `loaded` may well be loaded. */
      readonly runtimeSeen?: true;
      readonly warnings: readonly string[];
    }
  | { readonly state: "unknown"; readonly store: StoreId; readonly failure: Failure };

/** What a serving backend says it serves. */
export type ServingObservation =
  | {
      readonly state: "serving";
      readonly backend: string;
      readonly models: readonly { readonly id: string; readonly root?: string; readonly maxModelLen?: number }[];
      readonly version?: string;
      readonly healthy: boolean;
    }
  | { readonly state: "down"; readonly backend: string }
  | { readonly state: "unknown"; readonly backend: string; readonly failure: Failure };

/** One read-only snapshot of the machine, observations sorted by store, serving by backend. */
export interface ObservedState {
  readonly at: Instant;
  readonly level: VerificationLevel;
  readonly stores: readonly Observation[];
  readonly serving: readonly ServingObservation[];
}
