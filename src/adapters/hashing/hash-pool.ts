import type { Piscina } from "piscina";
import type { HashedFile } from "./hash-file.ts";
import type { HashTask } from "./hash-worker.ts";

/** Worker threads that start with the first task and go when there has been nothing to do for a while. */
export interface HashPool {
  run(task: HashTask, signal: AbortSignal): Promise<readonly HashedFile[]>;
  close(): Promise<void>;
}

const idleTimeoutMs = 10_000;

/** Makes a pool of at most `workers` threads; nothing is loaded or started yet. */
export function createHashPool(workers: number): HashPool {
  let starting: Promise<Piscina<HashTask, readonly HashedFile[]>> | undefined;
  return {
    async run(task, signal) {
      starting ??= startThreads(workers);
      const threads = await starting;
      return threads.run(task, { name: "hashFiles", signal });
    },
    async close() {
      const threads = await starting;
      starting = undefined;
      await threads?.destroy();
    },
  };
}

async function startThreads(workers: number): Promise<Piscina<HashTask, readonly HashedFile[]>> {
  const { Piscina } = await import("piscina");
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Piscina({
    filename: new URL(`./hash-worker.${extension}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: workers,
    idleTimeout: idleTimeoutMs,
    recordTiming: false,
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 },
  });
}
