import type { Sha256 } from "../domain/digest.ts";
import type { ModelSource } from "../domain/model.ts";
import type { Upstream } from "../domain/upstream.ts";

/** What to ask a hub. */
export interface UpstreamQuery {
  readonly source: Extract<ModelSource, { kind: "ollama" | "huggingface" }>;
  /** For Hub sources: the locked commit to list instead of the declared revision. */
  readonly commit?: string;
  /** For Ollama sources: digests whose availability matters (blobs of a locked manifest that are not here). */
  readonly blobs?: readonly Sha256[];
  /** Also learn the SHA-256 of small files for which the hub declares none, by reading them once: a lock needs it. */
  readonly hashAll?: boolean;
}

/** Asks a registry or hub what it offers; transfers metadata only (with `hashAll`, small files too). */
export interface ArtifactHub {
  readonly kind: "ollama" | "huggingface";
  /** Never throws for expected failures; they come back as `failed`. Rejects only with the signal's reason. */
  resolve(query: UpstreamQuery, signal: AbortSignal): Promise<Upstream>;
}
