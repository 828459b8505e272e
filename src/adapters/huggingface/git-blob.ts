import { createHash, type Hash } from "node:crypto";
import type { Sha256 } from "../../domain/digest.ts";

/** A hash that gives the Git id of a file, once all its bytes went in. */
export function gitBlobHash(size: number): Hash {
  return createHash("sha1").update(`blob ${size}\0`);
}

/** True when the Git id is the one of the LFS pointer to these bytes, so that the file is kept in LFS. */
export function isPointerId(blobId: string, sha256: Sha256, size: number): boolean {
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`);
  return gitBlobHash(pointer.length).update(pointer).digest("hex") === blobId;
}
