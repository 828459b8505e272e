import { hashFile, type HashedFile } from "./hash-file.ts";

/** Files for one turn of a worker. */
export interface HashTask {
  readonly paths: readonly string[];
  /** Counts bytes read in element 0; whoever reports them takes them out. */
  readonly counter: BigInt64Array<SharedArrayBuffer>;
}

const buffer = Buffer.allocUnsafeSlow(1024 * 1024);

/** Runs in a worker thread. It is stopped from outside, by ending the thread. */
export function hashFiles({ paths, counter }: HashTask): readonly HashedFile[] {
  return paths.map((path) => {
    const hashing = hashFile(path, buffer);
    for (let step = hashing.next(); ; step = hashing.next()) {
      if (step.done) return step.value;
      Atomics.add(counter, 0, BigInt(step.value));
    }
  });
}
