import { compareText } from "../../domain/diagnostic.ts";
import type { ArtifactState, Holding, ModelFacts, ObservedArtifact, StoreId, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import { blobsOf, type ManifestLayer } from "./manifest-text.ts";
import { blobPath, oldBlobPath } from "./store-layout.ts";
import type { StoredManifest } from "./store-scan.ts";

/** State of every blob by its key, see `blobKeyOf`. */
export type BlobStates = ReadonlyMap<string, ArtifactState>;

interface BlobInspection {
  readonly directory: string;
  readonly hasher: FileHasher;
  readonly level: VerificationLevel;
  /** Manifests whose blobs are looked at as `level` says; the others at most at level `stat`. */
  readonly closely: (manifest: StoredManifest) => boolean;
  readonly onBytes?: (done: number, total: number) => void;
}

/** Looks at every blob of the manifests once, however many manifests share it. */
export async function inspectBlobs(manifests: readonly StoredManifest[], inspection: BlobInspection, signal: AbortSignal): Promise<BlobStates> {
  const { level, closely } = inspection;
  const close = layersByKey(manifests.filter(closely));
  const rest = new Map([...layersByKey(manifests)].filter(([key]) => !close.has(key)));
  const [first, second] = await Promise.all([
    inspectLayers([...close.values()], level, inspection, signal),
    inspectLayers([...rest.values()], level === "full" ? "stat" : level, inspection, signal),
  ]);
  return new Map([...first, ...second]);
}

/** What a readable manifest and the states of its blobs amount to. */
export function holdingOf(store: StoreId, manifest: StoredManifest, states: BlobStates, facts: ModelFacts): Holding {
  const { ref, path, modifiedAt, document } = manifest;
  const artifacts = blobsOf(document.content).map((layer): ObservedArtifact => {
    const key = `sha256:${layer.sha256}`;
    const found = states.get(blobKeyOf(layer)) ?? { state: "missing" };
    return {
      path: key,
      blob: key,
      size: layer.size,
      declaredSha256: layer.sha256,
      found,
      ...(layer.mediaType === "" ? {} : { mediaType: layer.mediaType }),
    };
  });
  return {
    store,
    ref,
    names: [],
    contentId: document.digest,
    ...(document.text === undefined ? {} : { manifest: document.text }),
    artifacts: artifacts.toSorted((a, b) => compareText(a.path, b.path)),
    facts,
    location: path,
    modifiedAt,
  };
}

/** Two manifests may declare another size for the same digest; each is judged by its own. */
function blobKeyOf(layer: ManifestLayer): string {
  return `${layer.fileName}:${layer.size}`;
}

function layersByKey(manifests: readonly StoredManifest[]): ReadonlyMap<string, ManifestLayer> {
  return new Map(manifests.flatMap(({ document }) => blobsOf(document.content).map((layer) => [blobKeyOf(layer), layer] as const)));
}

async function inspectLayers(
  layers: readonly ManifestLayer[],
  level: VerificationLevel,
  inspection: BlobInspection,
  signal: AbortSignal,
): Promise<BlobStates> {
  if (layers.length === 0) return new Map();
  const { directory, hasher, onBytes } = inspection;
  const total = layers.reduce((sum, layer) => sum + layer.size, 0);
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    onBytes?.(done, total);
  };
  const inspect = async (
    wanted: readonly ManifestLayer[],
    pathOf: (directory: string, layer: ManifestLayer) => string,
  ): Promise<readonly ArtifactState[]> =>
    hasher.inspect(
      wanted.map((layer) => ({ path: pathOf(directory, layer), size: layer.size })),
      level,
      signal,
      level === "full" ? count : undefined,
    );
  const states = new Map(zip(layers, await inspect(layers, blobPath)));
  const missing = layers.filter((layer) => states.get(blobKeyOf(layer))?.state === "missing");
  if (missing.length > 0) for (const [key, state] of zip(missing, await inspect(missing, oldBlobPath))) states.set(key, state);
  return states;
}

function zip(layers: readonly ManifestLayer[], states: readonly ArtifactState[]): readonly (readonly [string, ArtifactState])[] {
  return layers.flatMap((layer, index) => {
    const state = states[index];
    return state === undefined ? [] : [[blobKeyOf(layer), state] as const];
  });
}
