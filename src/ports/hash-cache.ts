import type { Sha256 } from "../domain/digest.ts";
import type { Instant } from "../domain/resource.ts";

/** What makes a file the same file: any write moves at least one of these. Nanoseconds and ids as decimal text. */
export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

/** Hashes by file identity. A lost entry costs a hash, never correctness. */
export interface HashCache {
  /** Results in the order of the input; undefined where nothing is known. */
  lookup(files: readonly FileIdentity[]): readonly ({ readonly sha256: Sha256; readonly at: Instant } | undefined)[];
  remember(entries: readonly { readonly file: FileIdentity; readonly sha256: Sha256; readonly at: Instant }[]): void;
}
