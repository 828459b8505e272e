import { lstat, readFile, readlink, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sharedBlobOfLink, sharedBlobPath, sharedBlobs } from "./cache-layout.ts";
import { errnoOf, unlessAbsent } from "./disk-errors.ts";

const marker = ".huggingface-shared-blobs";
const referenceLine = /^(?:models|datasets|spaces|kernels)--[^/\\]+\/blobs\/[^/\\]+$/;

/**
 * Removes a payload of the shared store when no link listed in its manifest leads to it any more, and returns the bytes freed. A store without
 * marker, a manifest that is missing or cannot be read, or a link that cannot be looked at: nothing is deleted.
 */
export async function sweepSharedBlob(cache: string, xetHash: string): Promise<number> {
  if ((await readText(join(cache, sharedBlobs, marker))) !== "1\n") return 0;
  const payload = sharedBlobPath(cache, xetHash);
  if ((await isReferenced(cache, xetHash)) !== false) return 0;
  const found = await unlessAbsent(lstat(payload));
  if (found?.isFile() !== true) return 0;
  // The Python client guards this with a lock that Node cannot take. Out of sight, nothing new is linked to it; what was linked just before is seen.
  const aside = join(dirname(payload), `.${xetHash}.holdfast-removed`);
  await rename(payload, aside);
  if ((await isReferenced(cache, xetHash)) !== false) {
    await rename(aside, payload);
    return 0;
  }
  await unlink(aside);
  await unlessAbsent(unlink(`${payload}.refs`));
  return found.nlink === 1 ? found.size : 0;
}

/** Undefined when it cannot be told. */
async function isReferenced(cache: string, xetHash: string): Promise<boolean | undefined> {
  const manifest = await readText(`${sharedBlobPath(cache, xetHash)}.refs`);
  if (manifest === undefined) return undefined;
  for (const line of manifest.split("\n")) {
    if (!referenceLine.test(line) || line.includes("..")) continue;
    const link = join(cache, line);
    try {
      if (sharedBlobOfLink(cache, link, await readlink(link)) === xetHash) return true;
    } catch (error) {
      if (!["ENOENT", "ENOTDIR", "EINVAL"].includes(errnoOf(error) ?? "")) return undefined;
    }
  }
  return false;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() && found.size < 16 * 1024 * 1024 ? await readFile(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}
