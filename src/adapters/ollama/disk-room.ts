import { failed } from "../../domain/failure.ts";
import { mapBounded } from "./bounded.ts";
import { blobsOf, type ManifestDocument, type ManifestLayer } from "./manifest-text.ts";
import { blobPath } from "./store-layout.ts";
import type { WriterSide } from "./writer-side.ts";

/** Downloads need a little more than their bytes, and a disk that is full to the last byte helps nobody. */
const margin = 1.05;
const parallelHeads = 8;

/** Bytes of a whole model, and those of its blobs that the server does not have yet. */
export interface Need {
  readonly total: number;
  readonly absent: readonly ManifestLayer[];
}

/** Throws `disk-full` when the blobs that are not here yet cannot fit; Ollama itself starts and fails in the middle. */
export async function requireRoom(side: WriterSide, ref: string, manifest: ManifestDocument, signal: AbortSignal): Promise<Need> {
  const layers = manifest.content.kind === "image" ? blobsOf(manifest.content) : [];
  const absent = await absentLayers(side, layers, signal);
  const needed = sizeOf(absent);
  const free = side.directory === undefined ? undefined : await side.disk.freeBytes(side.directory);
  if (free === undefined || needed * margin <= free) return { total: sizeOf(layers), absent };
  throw failed("disk-full", `${ref} needs ${quantity(needed)} more, ${quantity(free)} are free on ${side.directory}`, {
    remedy: "free some space there, or remove models that are not needed",
  });
}

async function absentLayers(
  { directory, hasher, api }: WriterSide,
  layers: readonly ManifestLayer[],
  signal: AbortSignal,
): Promise<readonly ManifestLayer[]> {
  if (directory === undefined) {
    const there = await mapBounded(layers, parallelHeads, (layer) => api.hasBlob(`sha256:${layer.sha256}`, signal));
    return layers.filter((_layer, index) => there[index] === false);
  }
  const files = layers.map((layer) => ({ path: blobPath(directory, layer), size: layer.size }));
  const states = await hasher.inspect(files, "presence", signal);
  return layers.filter((_layer, index) => states[index]?.state !== "present");
}

function sizeOf(layers: readonly ManifestLayer[]): number {
  return layers.reduce((sum, layer) => sum + layer.size, 0);
}

function quantity(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
