import { failed, HoldfastError } from "../../domain/failure.ts";
import { shortOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import { blobPath } from "./store-layout.ts";
import type { WriterSide } from "./writer-side.ts";

/**
 * Moves blob files whose bytes are not what their name says into quarantine, because Ollama takes any file of that name for good and never fetches it
 * again. Good files and missing ones are left alone. Returns the digests moved.
 */
export async function setAsideBadBlobs(side: WriterSide, ref: string, digests: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const { directory, hasher, disk } = side;
  if (directory === undefined) return [];
  const files = digests.map((digest) => ({ digest, path: blobPath(directory, { fileName: `sha256-${digest}` }) }));
  const states = await hasher.inspect(
    files.map(({ path }) => ({ path })),
    "full",
    signal,
  );
  const bad = files.filter(({ digest }, index) => {
    const state = states[index];
    return state?.state === "present" && state.level !== "presence" && state.sha256 !== digest;
  });
  if (bad.length === 0) return [];
  await disk.quarantine(
    bad.map(({ path, digest }) => ({ from: path, as: `blobs/sha256-${digest}` })),
    { store: side.store, ref, reason: "the bytes do not have the SHA-256 of their name" },
    "move",
  );
  return bad.map(({ digest }) => digest);
}

/** Throws `not-refetchable` when the registry says that it no longer has a blob. What cannot be asked is left to the pull. */
export async function requireRefetchable(side: WriterSide, name: OllamaName, digests: readonly string[], signal: AbortSignal): Promise<void> {
  for (const digest of digests) {
    if (await isOffered(side, name, digest, signal)) continue;
    throw failed(
      "not-refetchable",
      `${shortOllamaName(name)} cannot be fetched as it was locked: the registry ${name.host} no longer has sha256:${digest}`,
      {
        remedy: "restore the file from a backup, or accept what the tag is now with `holdfast lock --update`",
      },
    );
  }
}

async function isOffered(side: WriterSide, name: OllamaName, digest: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await side.registry.hasBlob(name, digest, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return true;
    throw error;
  }
}
