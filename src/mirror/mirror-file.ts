import type { BigIntStats } from "node:fs";
import type { Sha256 } from "../domain/digest.ts";

/** A regular file inside the mirrored folder, as it was when the folder was listed. */
export interface FoundFile {
  /** Path inside the model, `/` separators. */
  readonly path: string;
  /** Where the bytes are; all links resolved. */
  readonly absolute: string;
  readonly size: number;
  /** Changes with every write to the file. */
  readonly identity: string;
  readonly modifiedAt: Date;
}

/** How the Hub names content: files in large file storage by SHA-256, the others by git blob SHA-1. */
export interface ContentName {
  /** Git blob SHA-1 of the file or, in large file storage, of its pointer. */
  readonly oid: string;
  readonly sha256?: Sha256;
}

/** One file of a commit. */
export interface CommitFile extends ContentName {
  readonly path: string;
  readonly size: number;
  /** Undefined when the commit has the file and this mirror does not. */
  readonly found?: FoundFile;
}

/** One commit of a mirrored model, files sorted by path. */
export interface MirroredCommit {
  readonly repo: string;
  readonly commit: string;
  readonly files: readonly CommitFile[];
  readonly modifiedAt: Date;
}

/** Identity of a file from its metadata: any write moves at least one of these. */
export function identityOf(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
}

/** True for 40 hex digits. */
export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}
