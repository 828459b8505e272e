import { compareText } from "../../domain/diagnostic.ts";
import { toFailure } from "../../domain/failure.ts";
import type { ArtifactState, Holding, ObservedArtifact, StoreId } from "../../domain/observed.ts";
import type { OllamaApi } from "./api.ts";
import { mapBounded } from "./bounded.ts";
import type { ListedModel } from "./listing.ts";
import { blobsOf, readManifest, type ManifestContent } from "./manifest-text.ts";
import type { FactMemory } from "./show-facts.ts";

/** Kind of the remembered manifest texts, by digest. */
export const manifestKind = "ollama-manifest";

type ImageManifest = Extract<ManifestContent, { kind: "image" }>;

/** A manifest known from elsewhere (a lock, a registry) that is the one a server lists. */
export interface KnownManifest {
  readonly text: string;
  readonly content: ImageManifest;
}

const parallelHeads = 8;
const here: ArtifactState = { state: "present", level: "presence" };

/** Manifests that are remembered for these digests and have them. */
export async function recallManifests(digests: readonly string[], memory: FactMemory): Promise<ReadonlyMap<string, KnownManifest>> {
  const texts = digests.length === 0 ? new Map<string, string>() : await memory.remembered(manifestKind, digests);
  return new Map(
    [...texts].flatMap(([digest, text]) => {
      const { content, digest: actual } = readManifest(Buffer.from(text));
      return content.kind === "image" && actual === digest ? [[digest, { text, content }] as const] : [];
    }),
  );
}

/** Asks the server for every blob of the manifests once. It can say that a blob exists, not how long it is nor whether it is right. */
export async function findBlobs(
  api: OllamaApi,
  manifests: readonly KnownManifest[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ArtifactState>> {
  const digests = [...new Set(manifests.flatMap(({ content }) => blobsOf(content).map((layer) => layer.sha256)))];
  const states = await mapBounded(digests, parallelHeads, async (digest): Promise<readonly [string, ArtifactState]> => {
    try {
      return [digest, (await api.hasBlob(`sha256:${digest}`, signal)) ? here : { state: "missing" }];
    } catch (error) {
      signal.throwIfAborted();
      return [digest, { state: "unreadable", failure: toFailure(error) }];
    }
  });
  return new Map(states);
}

/**
 * A model of a server whose files cannot be read from here. With a known manifest its layers are listed, else one artifact `manifest` stands for all
 * of them with the size the server states. `presence` means that the server lists the model or, after `findBlobs`, that it has the blob; bytes are
 * never proven this way.
 */
export function remoteHolding(
  store: StoreId,
  model: ListedModel,
  known: KnownManifest | undefined,
  blobs: ReadonlyMap<string, ArtifactState>,
): Holding {
  const { ref, digest, modifiedAt } = model;
  return {
    store,
    ref,
    names: [],
    contentId: digest,
    ...(known === undefined ? {} : { manifest: known.text }),
    artifacts: known === undefined ? [unknownLayers(model)] : layersOf(known.content, blobs),
    facts: model.facts,
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
  };
}

/** True when a holding does not say which blobs it has. */
export function hasUnknownLayers(holding: Holding): boolean {
  return holding.artifacts.some((artifact) => artifact.path === "manifest");
}

function unknownLayers({ digest, size }: ListedModel): ObservedArtifact {
  return { path: "manifest", blob: `manifest:${digest}`, size, found: here };
}

function layersOf(content: ImageManifest, blobs: ReadonlyMap<string, ArtifactState>): readonly ObservedArtifact[] {
  const artifacts = blobsOf(content).map((layer): ObservedArtifact => {
    const key = `sha256:${layer.sha256}`;
    return {
      path: key,
      blob: key,
      size: layer.size,
      declaredSha256: layer.sha256,
      mediaType: layer.mediaType,
      found: blobs.get(layer.sha256) ?? here,
    };
  });
  return artifacts.toSorted((a, b) => compareText(a.path, b.path));
}
