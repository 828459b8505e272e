import { basename, dirname, join, posix, resolve } from "node:path";
import { isSha256 } from "../../domain/digest.ts";
import { folderOfRepo } from "./hub-id.ts";

/** The tag that keeps backup programs out of caches (bford.info/cachedir). */
export const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n# Downloads that can be fetched again; see https://bford.info/cachedir/\n";

/** Where the tag stands, relative to the cache. */
export const cacheTagFile = "CACHEDIR.TAG";

/** Folder of the blobs that several repositories share; lies beside the repositories. */
export const sharedBlobs = "blobs";

/** Paths of one repository in the cache, relative to the cache, `/` separators. */
export interface RepoPaths {
  readonly folder: string;
  readonly blobs: string;
  readonly snapshots: string;
  readonly refs: string;
  /** Folder of the lock, level by level; not inside the repository, so that it outlives a removal. */
  readonly lock: readonly string[];
  blob(etag: string): string;
  snapshotFile(commit: string, path: string): string;
  tree(commit: string): string;
}

export function repoPaths(repo: string): RepoPaths {
  const folder = folderOfRepo(repo);
  return {
    folder,
    blobs: `${folder}/blobs`,
    snapshots: `${folder}/snapshots`,
    refs: `${folder}/refs`,
    lock: [".locks", folder],
    blob: (etag) => `${folder}/blobs/${etag}`,
    snapshotFile: (commit, path) => `${folder}/snapshots/${commit}/${path}`,
    tree: (commit) => `${folder}/trees/${commit}.json`,
  };
}

/** Target text of the link at `path` in a snapshot: relative, so that the cache can be moved. */
export function linkTarget(path: string, etag: string): string {
  return posix.join("../".repeat(path.split("/").length + 1), "blobs", etag);
}

/** Name of the blob that a link in a snapshot leads to, or undefined when it leads anywhere else. `repoFolder` and `link` are absolute. */
export function blobOfLink(repoFolder: string, link: string, target: string): string | undefined {
  const leadsTo = resolve(dirname(link), target);
  return dirname(leadsTo) === join(repoFolder, "blobs") && basename(leadsTo) !== "" ? basename(leadsTo) : undefined;
}

/** Xet hash of the shared blob that a link in `blobs/` leads to, or undefined when it leads anywhere else. `cache` and `link` are absolute. */
export function sharedBlobOfLink(cache: string, link: string, target: string): string | undefined {
  const name = basename(target);
  return isSha256(name) && resolve(dirname(link), target) === sharedBlobPath(cache, name) ? name : undefined;
}

/** Where the shared store keeps the bytes with this Xet hash. */
export function sharedBlobPath(cache: string, xetHash: string): string {
  return join(cache, sharedBlobs, xetHash.slice(0, 2), xetHash);
}
