import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";
import { sharedBlobOfLink, sharedBlobPath } from "./cache-layout.ts";
import { errnoOf, onDisk, unlessAbsent } from "./disk-errors.ts";

/** What is at a path of `blobs/`: bytes of its own, bytes in the shared store, nothing, or something that must not be followed. */
export type BlobPlace =
  | { readonly kind: "own"; readonly path: string; readonly size: number; readonly mtimeMs: number }
  | { readonly kind: "shared"; readonly path: string; readonly size: number; readonly mtimeMs: number; readonly xetHash: string }
  | { readonly kind: "absent" }
  /** A link that leads out of the cache, or no regular file. */
  | { readonly kind: "foreign"; readonly why: string };

/** Looks at one blob without following a link anywhere but into the shared store. */
export async function placeOfBlob(cache: string, path: string): Promise<BlobPlace> {
  return onDisk(`could not look at ${path}`, async () => {
    const found = await unlessAbsent(lstat(path));
    if (found === undefined) return { kind: "absent" };
    if (found.isFile()) return { kind: "own", path, size: found.size, mtimeMs: found.mtimeMs };
    if (!found.isSymbolicLink()) return { kind: "foreign", why: "it is not a regular file" };
    const target = await readlink(path);
    const xetHash = sharedBlobOfLink(cache, path, target);
    if (xetHash === undefined) return { kind: "foreign", why: `it leads out of the cache to ${target}` };
    const payload = sharedBlobPath(cache, xetHash);
    const behind = await regularFile(payload, cache);
    if (behind === "link") return { kind: "foreign", why: "its shared blob is reached through another link" };
    return behind === undefined ? { kind: "absent" } : { kind: "shared", path: payload, size: behind.size, mtimeMs: behind.mtimeMs, xetHash };
  });
}

/** The shared store is two levels of real folders with regular files in them. */
async function regularFile(payload: string, cache: string): Promise<{ size: number; mtimeMs: number } | "link" | undefined> {
  const levels = [join(cache, "blobs"), join(payload, "..")];
  for (const level of levels) if ((await unlessAbsent(lstat(level)))?.isSymbolicLink() === true) return "link";
  try {
    const found = await lstat(payload);
    return found.isFile() ? found : "link";
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
