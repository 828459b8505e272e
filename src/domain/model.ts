import type { JsonObject } from "./json.ts";
import type { Metadata, Milliseconds } from "./resource.ts";

/** Where the bytes of a model come from; exactly one of four kinds. */
export type ModelSource =
  | { readonly kind: "ollama"; /** Name as Ollama takes it, for example `qwen3:8b` or `hf.co/org/repo:Q4_K_M`. */ readonly model: string }
  | {
      readonly kind: "huggingface";
      /** `org/name` on the Hub. */
      readonly repo: string;
      /** Branch, tag or 40-hex commit. */
      readonly revision: string;
      /** fnmatch patterns (`*` crosses `/`, a trailing `/` means the folder); empty = all files. */
      readonly include: readonly string[];
      readonly exclude: readonly string[];
      /** `cache` = the Hub cache layout of the Python client; `dir` = a plain folder. */
      readonly layout: "cache" | "dir";
      /** Absolute folder, only with layout `dir`. */
      readonly dir?: string;
    }
  | { readonly kind: "path"; /** Absolute folder that somebody else fills. */ readonly dir: string }
  | { readonly kind: "remote" };

/** A role that a model fills; among candidates the higher priority wins. */
export interface RoleClaim {
  readonly role: string;
  readonly priority: number;
}

/** How a serving backend is started for this model (`vllm serve <model> <args>`); no shell is involved. */
export interface LaunchSpec {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly chatTemplate?: string;
}

/** Where in its life a model is; `deprecated` hides it from selection and, after `purgeAfter`, purges it. */
export interface Lifecycle {
  readonly state: "active" | "deprecated";
  readonly reason?: string;
  readonly replacedBy?: string;
  /** Grace period after deprecation; without it the setting `prune.grace` holds. */
  readonly purgeAfter?: Milliseconds;
}

/** How long a model stays in the memory of its server after its last use; `forever` until somebody unloads it. */
export type KeepLoaded = "forever" | Milliseconds;

/** A declared model: manifest kind `Model`, decoded, with defaults filled in. */
export interface Model {
  readonly kind: "Model";
  readonly metadata: Metadata;
  readonly displayName?: string;
  readonly source: ModelSource;
  /** Name of the Backend that serves it; needed for Ollama sources when several Ollama backends are declared. */
  readonly backend?: string;
  readonly servedModelId?: string;
  readonly launch: LaunchSpec;
  /** Ollama loads it in advance and keeps it; undefined = what is in memory is left to its users. */
  readonly keepLoaded?: KeepLoaded;
  readonly roles: readonly RoleClaim[];
  readonly aliases: readonly string[];
  /** Overrides of what was observed, by canonical capability name. */
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly license?: string;
  readonly lifecycle: Lifecycle;
  /** Never purged, whatever else says so. */
  readonly protect: boolean;
  /** `required`: the model must be in the lock file, else plan and verify report it. */
  readonly lock: { readonly required: boolean };
  readonly testing: boolean;
  readonly generationDefaults: JsonObject;
  /** Free-form, passed to the registry untouched. */
  readonly extra: JsonObject;
}
