import type { Sha256 } from "../../domain/digest.ts";
import { failed, HoldfastError, toFailure, type Failure } from "../../domain/failure.ts";
import { parseOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Upstream, UpstreamFile } from "../../domain/upstream.ts";
import type { ArtifactHub, UpstreamQuery } from "../../ports/artifact-hub.ts";
import { mapBounded } from "./bounded.ts";
import { blobsOf, type ManifestDocument } from "./manifest-text.ts";
import { createRegistryClient, type RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const parallelHeads = 6;

/** Asks Ollama registries what a tag offers now, and which blobs of a lock they still have. */
export function createOllamaRegistryHub(options: RegistryClientOptions): ArtifactHub {
  const client = createRegistryClient(options);
  return {
    kind: "ollama",
    async resolve(query: UpstreamQuery, signal: AbortSignal): Promise<Upstream> {
      signal.throwIfAborted();
      if (query.source.kind !== "ollama")
        return { state: "failed", failure: failed("unsupported", "an Ollama registry offers no Hub models").failure };
      const parsed = parseOllamaName(query.source.model);
      if ("problem" in parsed)
        return { state: "failed", failure: failed("invalid-input", `${query.source.model}: ${parsed.problem}`, { remedy: parsed.remedy }).failure };
      const [tag, missing] = await Promise.all([
        orFailure(client.manifest(parsed.name, signal), signal),
        orFailure(missingBlobs(client, parsed.name, query.blobs ?? [], signal), signal),
      ]);
      return answerOf(tag, missing);
    },
  };
}

/** What could not be asked is not missing: a blob question without an answer fails the whole answer. */
function answerOf(
  tag: (ManifestDocument & { readonly text: string }) | { readonly failure: Failure },
  missing: readonly Sha256[] | { readonly failure: Failure },
): Upstream {
  const known = "failure" in missing ? undefined : missing;
  if ("failure" in tag) return { state: "failed", failure: tag.failure, ...(known === undefined ? {} : { missingBlobs: known }) };
  if ("failure" in missing) return { state: "failed", failure: missing.failure };
  return { state: "resolved", kind: "ollama", digest: tag.digest, manifest: tag.text, files: filesOf(tag), missingBlobs: missing };
}

function filesOf({ content }: ManifestDocument): readonly UpstreamFile[] {
  return content.kind === "image"
    ? blobsOf(content).map((layer) => ({ path: `sha256:${layer.sha256}`, size: layer.size, sha256: layer.sha256 }))
    : [];
}

async function missingBlobs(client: RegistryClient, name: OllamaName, blobs: readonly Sha256[], signal: AbortSignal): Promise<readonly Sha256[]> {
  const there = await mapBounded(blobs, parallelHeads, (blob) => client.hasBlob(name, blob, signal));
  return blobs.filter((_blob, index) => there[index] === false);
}

async function orFailure<T>(question: Promise<T>, signal: AbortSignal): Promise<T | { readonly failure: Failure }> {
  try {
    return await question;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return { failure: toFailure(error) };
  }
}
