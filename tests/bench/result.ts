import { pathToFileURL } from "node:url";

/** Median and extremes of several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

/** What one benchmark found; printed as JSON. */
export interface BenchmarkResult {
  readonly name: string;
  readonly unit: string;
  readonly ours: Spread;
  /** The program we compare with, measured in the same run. */
  readonly peer?: Spread;
  /** How many times as good as the peer: above 1 is better. */
  readonly ratio?: number;
  readonly target: string;
  readonly met: boolean;
  readonly notes?: readonly string[];
  /** Measurements that belong to this one; it is met only when all of them are. */
  readonly parts?: readonly BenchmarkResult[];
}

/** `quick` uses small data, to see that a benchmark works. */
export interface BenchmarkOptions {
  readonly quick: boolean;
}

/** Sums up samples, rounded to three decimals. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b).map((sample) => Math.round(sample * 1000) / 1000);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, samples: sorted };
}

/** Milliseconds that an action takes. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** True when the module was started as a program, not imported. */
export function isMain(moduleUrl: string): boolean {
  return process.argv[1] !== undefined && moduleUrl === pathToFileURL(process.argv[1]).href;
}
