import type { Metadata, Milliseconds } from "./resource.ts";

/** The program behind an endpoint. `gguf` is a llama.cpp server; `openai` any remote OpenAI-compatible service. */
export type BackendType = "ollama" | "vllm" | "lmdeploy" | "gguf" | "openai";

/** How a single-port backend switches models. */
export interface ActivationSpec {
  readonly startTimeout: Milliseconds;
  readonly stopTimeout: Milliseconds;
  readonly rollback: boolean;
  readonly smokeTest: boolean;
  readonly maxAttempts: number;
}

/** A declared endpoint: manifest kind `Backend`, decoded, with defaults filled in. */
export interface Backend {
  readonly kind: "Backend";
  readonly metadata: Metadata;
  readonly type: BackendType;
  /** Base URL without a trailing slash; undefined for an Ollama store that is read from disk only. */
  readonly url?: string;
  /** Environment variable that holds the API key of the endpoint. */
  readonly apiKeyEnv?: string;
  /** Absolute Ollama models directory (the one with `manifests/` and `blobs/`), when it can be read from here. */
  readonly store?: string;
  /** True when pulls from this backend's registry go over plain HTTP (Ollama's `insecure`). */
  readonly insecureRegistry: boolean;
  readonly launch?: { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** The one model a single-port backend serves; `none` = it must be stopped; undefined = not managed. */
  readonly active?: { readonly kind: "model"; readonly name: string } | { readonly kind: "none" };
  /** A process somebody else started may be stopped and replaced. */
  readonly adopt: boolean;
  readonly activation: ActivationSpec;
}
