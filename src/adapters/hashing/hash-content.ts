import { setTimeout as wait } from "node:timers/promises";
import type { BigIntStats } from "node:fs";
import { createPause, hashFile, tickMs, type HashedFile, type Pause } from "./hash-file.ts";
import type { HashPool } from "./hash-pool.ts";

/** A file to hash. */
export interface Content {
  readonly path: string;
  readonly stats: BigIntStats;
}

/** How the bytes are to be read. */
export interface HashingRun<C extends Content> {
  readonly pool: HashPool;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
  /** Called with the results of a few files at a time, so that a long run that is cut off was not in vain. */
  readonly onHashed: (batch: readonly C[], results: readonly HashedFile[]) => void;
}

const mebibyte = 1024 * 1024;

/** Up to this much work, threads take longer to start than they save. Opening a file costs about as much as hashing 32 KiB. */
const smallWork = 96 * mebibyte;
const openingCost = 32 * 1024;

/** A worker gets several files at once only while they are small, and little enough that all workers end together. */
const largestBatch = 32 * mebibyte;
const batchesPerWorker = 4;

/** Hashes files, the largest first, in this thread when there is little to do and in worker threads otherwise. */
export async function hashContents<C extends Content>(files: readonly C[], run: HashingRun<C>): Promise<void> {
  if (files.length === 0) return;
  await waitForTick(files, run.signal);
  const total = files.reduce((sum, file) => sum + workOf(file), 0);
  if (total <= smallWork) await hashHere(files, run);
  else await hashInWorkers(batchesOf(files, Math.min(largestBatch, total / (run.workers * batchesPerWorker))), run);
}

/** A file written within the current timer tick could be written again without a trace, and its hash could not be remembered. */
async function waitForTick(files: readonly Content[], signal: AbortSignal): Promise<void> {
  const now = Date.now();
  const isFresh = ({ stats }: Content): boolean => Math.abs(now - Number(stats.ctimeMs)) <= tickMs;
  if (!files.some(isFresh)) return;
  await wait(tickMs + 5);
  signal.throwIfAborted();
}

async function hashHere<C extends Content>(files: readonly C[], run: HashingRun<C>): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(mebibyte);
  const pause = createPause();
  const results: HashedFile[] = [];
  for (const { path } of files) results.push(await runHere(hashFile(path, buffer), pause, run));
  run.onHashed(files, results);
}

async function runHere<C extends Content>(hashing: ReturnType<typeof hashFile>, pause: Pause, run: HashingRun<C>): Promise<HashedFile> {
  try {
    for (let step = hashing.next(); ; step = hashing.next()) {
      if (step.done) return step.value;
      run.onBytes(step.value);
      const paused = pause();
      if (paused !== undefined) await paused;
      run.signal.throwIfAborted();
    }
  } finally {
    // Closes the file when it was left in the middle.
    hashing.return({ state: "changing" });
  }
}

async function hashInWorkers<C extends Content>(batches: Iterable<readonly C[]>, run: HashingRun<C>): Promise<void> {
  const { pool, workers, signal, onBytes, onHashed } = run;
  const counter = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  const report = (): void => {
    const bytes = Number(Atomics.exchange(counter, 0, 0n));
    if (bytes > 0) onBytes(bytes);
  };
  const reporting = setInterval(report, 100);
  const rest = new AbortController();
  const either = AbortSignal.any([signal, rest.signal]);
  const lane = async (): Promise<void> => {
    for (const batch of batches) {
      const results = await pool.run({ paths: batch.map(({ path }) => path), counter }, either);
      onHashed(batch, results);
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, lane));
  } catch (error) {
    rest.abort();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(reporting);
    report();
  }
}

function* batchesOf<C extends Content>(files: readonly C[], enough: number): Generator<readonly C[]> {
  const largestFirst = files.toSorted((a, b) => Number(b.stats.size - a.stats.size));
  let batch: C[] = [];
  let work = 0;
  for (const file of largestFirst) {
    batch.push(file);
    work += workOf(file);
    if (work < enough) continue;
    yield batch;
    batch = [];
    work = 0;
  }
  if (batch.length > 0) yield batch;
}

function workOf({ stats }: Content): number {
  return Number(stats.size) + openingCost;
}
