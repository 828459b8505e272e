import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { failed } from "../../domain/failure.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { openSafeFolder } from "./safe-folder.ts";

/** A lock file below a root; its folder is made if need be. */
export interface LockPlace {
  readonly root: string;
  readonly folder: readonly string[];
}

const lockName = "holdfast.lock";
const queues = new Map<string, Promise<void>>();
const sqliteBusy = 5;

/**
 * Runs one writer per folder at a time: within this process they queue, another process is a `conflict`. The lock is one of the operating system on
 * the lock file, so that it ends with the process, whatever its end.
 */
export async function withRepoLock<T>(place: LockPlace, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  const lockFile = join(place.root, ...place.folder, lockName);
  const before = queues.get(lockFile) ?? Promise.resolve();
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const mine = before.then(() => finished);
  queues.set(lockFile, mine);
  try {
    await unlessAborted(before, signal);
    const release = await onDisk(`could not lock ${lockFile}`, () => acquire(place, lockFile));
    try {
      return await action();
    } finally {
      release();
    }
  } finally {
    finish();
    if (queues.get(lockFile) === mine) queues.delete(lockFile);
  }
}

async function unlessAborted(turn: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function acquire({ root, folder }: LockPlace, lockFile: string): Promise<() => void> {
  await (await openSafeFolder(root, folder, "make"))?.close();
  const there = await unlessAbsent(lstat(lockFile));
  if (there?.isFile() === false) throw failed("unsafe-path", `refused the lock ${lockFile}: it is not a regular file`);
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(lockFile, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    const remedy = "the file system must support file locks";
    if (!isBusy(cause)) throw failed("permission", `could not lock ${lockFile}`, { cause, remedy });
    throw failed("conflict", `another process is writing there: ${lockFile} is locked`, { retry: "transient", cause });
  }
  return () => database.close();
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === sqliteBusy;
}
