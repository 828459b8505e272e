import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sha256 } from "../../domain/digest.ts";
import { HoldfastError } from "../../domain/failure.ts";
import type { HashCache } from "../../ports/hash-cache.ts";
import { unlessAbsent } from "./disk-errors.ts";

/** A file with the hash of its bytes and how it looked right after it got its name. */
export interface HashedFile {
  readonly path: string;
  readonly found: BigIntStats;
  readonly sha256: Sha256;
}

/** Two writes within one tick of the file system's clock look alike; after this long every further write is seen. */
const settledAfterMs = 50;

/** Remembers hashes of files that have not changed since, so that nobody reads them again. */
export async function rememberHashes(files: readonly HashedFile[], cache: HashCache): Promise<void> {
  if (files.length === 0) return;
  await sleep(settledAfterMs);
  const at = new Date().toISOString();
  const entries: Parameters<HashCache["remember"]>[0][number][] = [];
  for (const { path, found, sha256 } of files) {
    const now = await unlessAbsent(stat(path, { bigint: true }));
    const countsFine = found.ctimeNs % 1_000_000_000n !== 0n;
    if (now?.ino !== found.ino || now.ctimeNs !== found.ctimeNs || now.size !== found.size || !countsFine) continue;
    const file = { device: `${now.dev}`, inode: `${now.ino}`, size: Number(now.size), mtimeNs: `${now.mtimeNs}`, ctimeNs: `${now.ctimeNs}` };
    entries.push({ file, sha256, at });
  }
  try {
    cache.remember(entries);
  } catch (error) {
    // Costs a hash next time.
    if (!(error instanceof HoldfastError)) throw error;
  }
}
