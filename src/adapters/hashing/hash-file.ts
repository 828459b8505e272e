import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type BigIntStats } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Sha256 } from "../../domain/digest.ts";
import type { FileIdentity } from "../../ports/hash-cache.ts";

/** What came of hashing one file. */
export type HashedFile =
  /** `settled`: any later write is certain to change the identity, so that the hash may be remembered. */
  | { readonly state: "hashed"; readonly identity: FileIdentity; readonly sha256: Sha256; readonly settled: boolean }
  | { readonly state: "changing" }
  | { readonly state: "missing" }
  | { readonly state: "refused"; readonly errno: string };

/** File systems stamp a file with the time of the last timer tick, at most this old; two writes in one tick look alike. */
export const tickMs = 25;

/** Some file systems count whole seconds only, FAT even pairs of them. */
const coarseTickMs = 2_100;

/**
 * Hashes one file with reads as large as the buffer, and yields the bytes of each read so that the caller can count, pause or stop. A file that
 * changes meanwhile is hashed a second time.
 */
export function* hashFile(path: string, buffer: Buffer): Generator<number, HashedFile> {
  try {
    return (yield* hashOnce(path, buffer)) ?? (yield* hashOnce(path, buffer)) ?? { state: "changing" };
  } catch (error) {
    const errno = systemErrorOf(error);
    if (errno === undefined) throw error;
    return isAbsence(errno) ? { state: "missing" } : { state: "refused", errno };
  }
}

/** The identity by which a file's hash is remembered. */
export function identityOf(stats: BigIntStats): FileIdentity {
  return {
    device: String(stats.dev),
    inode: String(stats.ino),
    size: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
  };
}

/** The system's name of an error, undefined for anything that is not a refusal by the system. */
export function systemErrorOf(error: unknown): string | undefined {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** True for the errors that prove that nothing is there. */
export function isAbsence(errno: string): boolean {
  return errno === "ENOENT" || errno === "ENOTDIR";
}

/** Asked between two pieces of work; returns a promise when it is time to wait a turn. */
export type Pause = () => Promise<void> | undefined;

/** Lets timers, sockets and signals have their turn whenever this much time has passed since the last turn. */
export function createPause(): Pause {
  const sliceMs = 8;
  let turn = performance.now();
  return () => {
    if (performance.now() - turn < sliceMs) return undefined;
    return nextTurn().then(() => {
      turn = performance.now();
    });
  };
}

function* hashOnce(path: string, buffer: Buffer): Generator<number, HashedFile | undefined> {
  // Without O_NONBLOCK the open would wait for ever when the file has become a pipe.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const before = fstatSync(file, { bigint: true });
    const settled = isSettled(before.ctimeNs);
    const hash = createHash("sha256");
    let total = 0;
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
      hash.update(count === buffer.length ? buffer : buffer.subarray(0, count));
      total += count;
      yield count;
      // A file that somebody is writing could grow as fast as it is read.
      if (total > before.size) return undefined;
    }
    const after = statSync(path, { bigint: true });
    if (!isSame(before, after) || BigInt(total) !== before.size) return undefined;
    return { state: "hashed", identity: identityOf(before), sha256: hash.digest("hex"), settled };
  } finally {
    closeSync(file);
  }
}

function isSettled(ctimeNs: bigint): boolean {
  const nanosecondsPerMs = 1_000_000n;
  const tick = ctimeNs % 1_000_000_000n === 0n ? coarseTickMs : tickMs;
  return BigInt(Date.now() - tick) * nanosecondsPerMs > ctimeNs;
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
