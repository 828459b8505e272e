import { isMain, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

/** Runs every benchmark (or those named on the command line) and prints one JSON document. `--quick` uses small data. */

const benchmarks: Readonly<Record<string, () => Promise<{ benchmark(options: BenchmarkOptions): Promise<BenchmarkResult> }>>> = {
  verify: () => import("./verify.ts"),
  "idle-pass": () => import("./idle-pass.ts"),
  "start-up": () => import("./start-up.ts"),
  download: () => import("./download.ts"),
  select: () => import("./select.ts"),
  switch: () => import("./switch.ts"),
  "observe-serving": () => import("./observe-serving.ts"),
};

if (isMain(import.meta.url)) {
  const args = process.argv.slice(2);
  const quick = args.includes("--quick");
  const named = args.filter((argument) => !argument.startsWith("--"));
  const results: BenchmarkResult[] = [];
  for (const [name, load] of Object.entries(benchmarks)) {
    if (named.length > 0 && !named.includes(name)) continue;
    process.stderr.write(`${name} ...\n`);
    results.push(await (await load()).benchmark({ quick }));
  }
  process.stdout.write(`${JSON.stringify({ node: process.version, quick, results }, undefined, 2)}\n`);
}
