import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { failed, HoldfastError } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { mapBounded } from "./bounded.ts";
import { readHelperName } from "./helper-names.ts";
import { blobsOf, maxManifestBytes, readManifest, type ManifestDocument, type ManifestLayer } from "./manifest-text.ts";
import { nameKey } from "./names.ts";
import { readSmallFile } from "./small-file.ts";
import { blobPath } from "./store-layout.ts";
import { scanStore, type StoredManifest, type StoreScan } from "./store-scan.ts";
import { isReadable, type WriterSide } from "./writer-side.ts";

const parallelQuestions = 8;

/** What is kept: a manifest with some of its blobs. */
export interface Kept {
  readonly own: StoredManifest;
  readonly blobs: readonly ManifestLayer[];
  readonly reason: string;
}

/** Copies a manifest and blobs into quarantine, blobs as hard links where the disk allows it, and returns the folder. */
export async function keepCopy(side: WriterSide, { own, blobs, reason }: Kept): Promise<string> {
  const directory = side.directory ?? "";
  const folder = await mkdtemp(join(tmpdir(), "holdfast-keep-"));
  try {
    const files = [
      { from: await copyOfManifest(side, own, folder), as: relative(directory, own.path) },
      ...blobs.map((layer) => ({ from: blobPath(directory, layer), as: `blobs/${layer.fileName}` })),
    ];
    return await side.disk.quarantine(files, { store: side.store, ref: own.ref, digest: own.document.digest, reason }, "copy");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The server writes manifests in place, through a hard link too. */
async function copyOfManifest({ disk }: WriterSide, own: StoredManifest, folder: string): Promise<string> {
  const found = await readSmallFile(own.path, maxManifestBytes);
  if (typeof found !== "object" || readManifest(found.bytes).digest !== own.document.digest)
    throw failed("precondition", `the manifest of ${own.ref} has changed while it was copied`, { remedy: "plan again" });
  const path = join(folder, "manifest");
  await disk.writeDurable(path, found.bytes);
  return path;
}

/** Blobs of a manifest that are on disk and that no lasting name but this one uses. */
export function ownBlobs(scan: StoreScan, own: StoredManifest, holding: Holding): readonly ManifestLayer[] {
  const others = scan.manifests.filter((manifest) => manifest !== own && readHelperName(manifest.ref) === undefined);
  const used = new Set(others.flatMap(({ document }) => blobsOf(document.content).map((layer) => layer.sha256)));
  const present = new Set(holding.artifacts.filter(({ found }) => found.state === "present" || found.state === "incomplete").map(({ path }) => path));
  return blobsOf(own.document.content).filter((layer) => !used.has(layer.sha256) && present.has(`sha256:${layer.sha256}`));
}

export function manifestOf(scan: StoreScan, ref: string): StoredManifest | undefined {
  return scan.manifests.find((manifest) => manifest.ref === ref) ?? scan.manifests.find((manifest) => nameKey(manifest.ref) === nameKey(ref));
}

/** A name that is about to get other content. */
export interface Replacement {
  readonly name: OllamaName;
  readonly present: Holding;
  /** The new content, when it is known. */
  readonly wanted: ManifestDocument | undefined;
}

/**
 * Keeps what a pull is about to replace, unless the registry of the name says that it has all of it. Without the files nothing can be kept.
 */
export async function keepReplaced(side: WriterSide, { name, present, wanted }: Replacement, context: WriteContext): Promise<void> {
  const { id, progress, signal } = context;
  if (side.directory === undefined || !isReadable(side, present)) return;
  const scan = await scanStore(side.directory, signal);
  const own = manifestOf(scan, present.ref);
  if (own === undefined || own.document.digest === wanted?.digest) return;
  const stays = new Set(wanted?.content.kind === "image" ? blobsOf(wanted.content).map((layer) => layer.sha256) : []);
  const blobs = ownBlobs(scan, own, present).filter((layer) => !stays.has(layer.sha256));
  if (blobs.length === 0 || (await areOffered(side, name, blobs, signal))) return;
  const folder = await keepCopy(side, { own, blobs, reason: "replaced, and not known to be fetched again from anywhere" });
  progress({ type: "note", id, message: `kept what ${canonicalOllamaName(name)} was until now (${own.document.digest}) in ${folder}` });
}

/** What cannot be asked counts as gone. */
async function areOffered(side: WriterSide, name: OllamaName, blobs: readonly ManifestLayer[], signal: AbortSignal): Promise<boolean> {
  try {
    const offered = await mapBounded(blobs, parallelQuestions, (layer) => side.registry.hasBlob(name, layer.sha256, signal));
    return offered.every(Boolean);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
