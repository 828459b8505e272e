import type { DriftClass } from "./drift.ts";
import type { SourceLocation } from "./diagnostic.ts";
import type { Sha256 } from "./digest.ts";
import type { Failure } from "./failure.ts";
import type { Deprecation, MemoryChange } from "./inventory.ts";
import type { KeepLoaded } from "./model.ts";
import type { StoreId } from "./observed.ts";
import type { Instant, Milliseconds, ResourceKey } from "./resource.ts";
import type { UpstreamFile } from "./upstream.ts";

/** The verbs of a plan; `activate` and `deactivate` concern serving backends. */
export type Verb =
  | "import"
  | "pull"
  | "repair"
  | "hash"
  | "tag"
  | "deprecate"
  | "undeprecate"
  | "purge"
  | "forget"
  | "load"
  | "unload"
  | "activate"
  | "deactivate";

/** Locked Ollama manifest that is served from loopback because the tag upstream has moved on. */
export interface OllamaPin {
  /** Exact manifest text; its SHA-256 is `digest`. */
  readonly manifest: string;
  readonly digest: Sha256;
}

/** Fetch one Ollama model. */
export interface OllamaPull {
  readonly kind: "ollama";
  /** Canonical name, host included. */
  readonly model: string;
  /** Manifest digest that must be there afterwards, when it is known. */
  readonly digest?: Sha256;
  readonly pin?: OllamaPin;
}

/** Fetch files of one commit from the Hub. */
export interface HubPull {
  readonly kind: "huggingface";
  readonly repo: string;
  readonly commit: string;
  /** Every file the snapshot must have afterwards. */
  readonly files: readonly UpstreamFile[];
  readonly layout: "cache" | "dir";
  readonly dir?: string;
  /** Hub refs that must point at the commit afterwards (own names such as `holdfast/qwen3`; `main` only when it is that commit). */
  readonly refs: readonly string[];
}

/** What a pull fetches. */
export type PullRequest = OllamaPull | HubPull;

/** Replace bad or missing bytes of a model whose identity is right; everything that is good stays. */
export type RepairRequest =
  | (OllamaPull & { /** Digests (`sha256:<hex>`) of the blobs to replace. */ readonly bad: readonly string[] })
  | (HubPull & { /** Paths of the files to replace. */ readonly bad: readonly string[] });

/** Remove a reference and the bytes only it uses. */
export interface RemoveRequest {
  readonly ref: string;
  readonly contentId?: string;
  /** Keep the bytes under the quarantine root because they cannot be fetched again. */
  readonly quarantine: boolean;
}

/** Give content that is already in an Ollama store another name. */
export interface TagRequest {
  readonly from: string;
  readonly to: string;
  readonly digest: Sha256;
}

/** Get an Ollama model into memory, or change how long it stays there. */
export interface LoadRequest {
  readonly ref: string;
  readonly keep: KeepLoaded;
}

/** Get an Ollama model out of memory. */
export interface UnloadRequest {
  readonly ref: string;
  /** Digest of the content that is in memory; another one than the name has by now is a stale runner. Undefined = whatever runs under the name. */
  readonly digest?: string;
}

/** What exactly an action does, complete enough to be executed from a saved plan. */
export type Work =
  | { readonly verb: "pull"; readonly request: PullRequest }
  | { readonly verb: "repair"; readonly request: RepairRequest }
  | { readonly verb: "tag"; readonly request: TagRequest }
  | { readonly verb: "purge"; readonly request: RemoveRequest }
  | { readonly verb: "load"; readonly request: LoadRequest }
  | { readonly verb: "unload"; readonly request: UnloadRequest }
  /** Hash every file; `expected` are the locked hashes by path, when locked. */
  | { readonly verb: "hash"; readonly expected?: Readonly<Record<string, Sha256>> }
  | { readonly verb: "deprecate"; readonly because: Deprecation["reason"] }
  | { readonly verb: "import" | "undeprecate" | "forget" }
  /** `target` and `argv` are what will be started, for people and to notice that it changed meanwhile; `restore` puts back what was proven last; `retry`: earlier failures do not count. */
  | {
      readonly verb: "activate";
      readonly backend: string;
      readonly model: string;
      readonly restore?: true;
      readonly retry?: true;
      readonly target?: Sha256;
      readonly argv?: readonly string[];
    }
  | { readonly verb: "deactivate"; readonly backend: string };

/** What must still hold right before an action runs; compared with a fresh look at the same reference. */
export type Precondition =
  | { readonly kind: "absent"; readonly store: StoreId; readonly ref: string }
  /** The holding's fingerprint (see `fingerprint`) is unchanged. */
  | { readonly kind: "unchanged"; readonly store: StoreId; readonly ref: string; readonly fingerprint: Sha256 }
  /** No server has the model in memory. */
  | { readonly kind: "not-loaded"; readonly store: StoreId; readonly ref: string };

/** True for the verbs that concern what a serving engine runs, not what a store holds. */
export function isSwitch(verb: Verb): verb is "activate" | "deactivate" {
  return verb === "activate" || verb === "deactivate";
}

/** How much an action can hurt: `none` writes only our own records, `low` adds bytes, `high` replaces bytes, `destructive` deletes. */
export type Risk = "none" | "low" | "high" | "destructive";

/** One step of a plan. */
export interface Action {
  /** `a1`, `a2`, ... in execution order. */
  readonly id: string;
  readonly verb: Verb;
  readonly object: ResourceKey | `holding/${string}`;
  /** Name of the model in registry and memory. */
  readonly name: string;
  readonly store: StoreId;
  readonly ref: string;
  readonly cause: DriftClass | "lifecycle" | "ownership";
  /** For people: why, in one clause. Never read by the executor. */
  readonly reason: string;
  readonly risk: Risk;
  readonly bytesToDownload: number;
  /** True when the size could not be learned in advance. */
  readonly sizeUnknown: boolean;
  /** Bytes that become free, shared blobs counted once. */
  readonly bytesToFree: number;
  readonly work: Work;
  readonly preconditions: readonly Precondition[];
  /** Ids of actions that must have succeeded before. */
  readonly dependsOn: readonly string[];
  readonly location?: SourceLocation;
  /** What the manifest says that must be remembered with the inventory item; only for actions that make the model ours. */
  readonly declared?: { readonly protect: boolean; readonly purgeAfter?: Milliseconds; readonly revision?: string };
}

/** Something that ought to be done and is not, with the reason. */
export interface Blocked {
  readonly object: ResourceKey | `holding/${string}` | `store/${string}`;
  readonly cause: DriftClass | "lifecycle" | "guard" | "policy";
  readonly reason: string;
  readonly failure?: Failure;
  readonly remedy?: string;
  readonly location?: SourceLocation;
}

/** Counts of a plan by verb, plus the totals that people ask for first. */
export interface PlanSummary {
  readonly actions: Readonly<Partial<Record<Verb, number>>>;
  readonly blocked: number;
  readonly unknown: number;
  readonly unchanged: number;
  readonly unmanaged: number;
  readonly bytesToDownload: number;
  readonly bytesToFree: number;
  readonly destructive: number;
}

/** Memory updates that need no action on any store, for example counting a confirmation. */
export type Bookkeeping = MemoryChange;

/** What will be done, why, and what must hold; the same inputs give the same bytes. Published as plan file format 1. */
export interface Plan {
  readonly formatVersion: "1.0";
  readonly toolVersion: string;
  readonly createdAt: Instant;
  readonly revision: { readonly commit?: string; readonly dirty: boolean; readonly digest: string };
  /** Digest of the lock file's text, or undefined without one. */
  readonly lockDigest?: Sha256;
  readonly actions: readonly Action[];
  readonly blocked: readonly Blocked[];
  readonly bookkeeping: readonly Bookkeeping[];
  readonly summary: PlanSummary;
  /** SHA-256 over the canonical JSON of everything except `createdAt`, `toolVersion` and `digest`. */
  readonly digest: Sha256;
}

/** How one action ended. */
export type Outcome =
  | { readonly state: "applied"; readonly actionId: string; readonly detail: string }
  | { readonly state: "failed"; readonly actionId: string; readonly failure: Failure }
  | { readonly state: "skipped"; readonly actionId: string; readonly because: string };
