import { failed } from "../../domain/failure.ts";
import { blobsOf, type ManifestDocument } from "./manifest-text.ts";
import { blobPath } from "./store-layout.ts";
import type { WriterSide } from "./writer-side.ts";

/** Downloads need a little more than their bytes, and a disk that is full to the last byte helps nobody. */
const margin = 1.05;

/** Throws `disk-full` when the blobs that are not here yet cannot fit; Ollama itself starts and fails in the middle. Returns the bytes to fetch. */
export async function requireRoom(side: WriterSide, ref: string, manifest: ManifestDocument, signal: AbortSignal): Promise<number> {
  const { directory, hasher, disk } = side;
  const layers = manifest.content.kind === "image" ? blobsOf(manifest.content) : [];
  const total = layers.reduce((sum, layer) => sum + layer.size, 0);
  if (directory === undefined) return total;
  const states = await hasher.inspect(
    layers.map((layer) => ({ path: blobPath(directory, layer), size: layer.size })),
    "presence",
    signal,
  );
  const needed = layers.reduce((sum, layer, index) => (states[index]?.state === "present" ? sum : sum + layer.size), 0);
  const free = await disk.freeBytes(directory);
  if (free === undefined || needed * margin <= free) return total;
  throw failed("disk-full", `${ref} needs ${gigabytes(needed)} more, ${gigabytes(free)} are free on ${directory}`, { remedy: "free some space there, or remove models that are not needed" });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;
}
