// How fast the bytes of models are proven, next to openssl on the same files: `npx node tests/bench/verify.ts [--quick]`.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFileHasher } from "../../src/adapters/hashing/file-hasher.ts";
import { createStateStore } from "../../src/adapters/sqlite/state-store.ts";
import type { VerificationLevel } from "../../src/domain/observed.ts";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

const mebibyte = 1024 * 1024;
const rounds = 5;
const never = new AbortController().signal;
const clock = { now: () => new Date().toISOString() };

interface Measurement {
  readonly ours: readonly number[];
  readonly peer: readonly number[];
}

/** Full verification of one file and of two at once, memory, and the look at many unchanged files. */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    const size = (quick ? 64 : 1024) * mebibyte;
    const files = [join(folder, "one"), join(folder, "two")];
    for (const file of files) fill(file, size);
    const both = await measure(folder, files);
    const single = await measure(folder, files.slice(0, 1));
    const two = compare("verify two files", both, 2 * size);
    const one = compare("verify one file", single, size);
    const parts = [one, memoryOf(folder, files), await lookAtMany(folder, quick ? 1_000 : 10_000)];
    return {
      ...two,
      name: "verify",
      met: two.met && parts.every(({ met }) => met),
      notes: [`two files of ${size / mebibyte} MiB in the page cache`],
      parts,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, files: readonly string[]): Promise<Measurement> {
  const ours: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await timed(() => verify(folder, files, "full")));
    peer.push(await timed(() => Promise.all(files.map(openssl))));
  }
  return { ours, peer };
}

/** Starts and ends the threads each time, as openssl is started each time. */
async function verify(folder: string, files: readonly string[], level: VerificationLevel): Promise<void> {
  const { stateStore, hashCache } = createStateStore({ path: join(folder, "state.db"), clock });
  const hasher = createFileHasher({ cache: hashCache, workers: 2, clock });
  const states = await hasher.inspect(
    files.map((path) => ({ path })),
    level,
    never,
  );
  if (!states.every((state) => state.state === "present" && state.level === level)) throw new Error(`not every file was verified at level ${level}`);
  await hasher.close();
  stateStore.close();
}

function openssl(file: string): Promise<void> {
  const child = spawn("openssl", ["dgst", "-sha256", file], { stdio: "ignore" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`openssl ended with ${code}`))));
  });
}

function compare(name: string, { ours, peer }: Measurement, bytes: number): BenchmarkResult {
  const rate = (ms: number): number => bytes / mebibyte / (ms / 1_000);
  const [our, their] = [spreadOf(ours.map(rate)), spreadOf(peer.map(rate))];
  const ratio = our.median / their.median;
  return { name, unit: "MiB/s", ours: our, peer: their, ratio, target: "at least 0.9 of openssl dgst -sha256", met: ratio >= 0.9 };
}

/** Asks a process that does nothing else, because this one has done other things before. */
function memoryOf(folder: string, files: readonly string[]): BenchmarkResult {
  const { stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--memory", folder, ...files], { encoding: "utf8" });
  const ours = spreadOf([Number(stdout) / mebibyte]);
  return { name: "memory while verifying", unit: "MiB resident at most", ours, target: "below 200 MiB", met: ours.median > 0 && ours.max < 200 };
}

async function lookAtMany(folder: string, count: number): Promise<BenchmarkResult> {
  const many = join(folder, "many");
  await mkdir(many);
  const files = Array.from({ length: count }, (_, index) => join(many, String(index)));
  for (const file of files) await writeFile(file, file);
  await verify(folder, files, "full");
  const samples: number[] = [];
  for (let round = 0; round < rounds; round += 1) samples.push(await timed(() => verify(folder, files, "stat")));
  const ours = spreadOf(samples);
  return { name: `look at ${count} unchanged files`, unit: "ms", ours, target: "below 300 ms for 10,000 files", met: ours.median < 300 };
}

function fill(path: string, size: number): void {
  const block = randomBytes(mebibyte);
  const file = openSync(path, "w");
  for (let written = 0; written < size; written += block.length) {
    block.writeBigUInt64LE(BigInt(written));
    writeSync(file, block);
  }
  closeSync(file);
}

if (isMain(import.meta.url)) {
  const [option, folder = "", ...files] = process.argv.slice(2);
  if (option === "--memory") {
    await verify(folder, files, "full");
    process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
  } else {
    process.stdout.write(`${JSON.stringify(await benchmark({ quick: option === "--quick" }), undefined, 2)}\n`);
  }
}
