import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { emptyEntry, encodeEntries } from "../../src/registry/entry.ts";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult, type Spread } from "./result.ts";

const cli = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "cli", "main.js");

/** `holdfast --version` and `holdfast list` on 100 models against a Node process that does nothing, run in turn. */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    await mkdir(join(root, "configs"));
    const entries = Array.from({ length: 100 }, (_, index) => ({ ...emptyEntry(`model-${index}`, "ollama"), served_model_id: `model-${index}:1b` }));
    await writeFile(join(root, "configs", "model_registry.json"), encodeEntries(entries));
    const rounds = quick ? 3 : 15;
    const samples = { nothing: [] as number[], version: [] as number[], list: [] as number[] };
    for (let round = 0; round <= rounds; round++) {
      const nothing = await timed(async () => run(root, ["-e", "0"]));
      const version = await timed(async () => run(root, [cli, "--version"]));
      const list = await timed(async () => run(root, [cli, "list"]));
      if (round === 0) continue;
      samples.nothing.push(nothing);
      samples.version.push(version);
      samples.list.push(list);
    }
    const parts = [part("holdfast --version", samples.version, samples.nothing), part("holdfast list, 100 models", samples.list, samples.nothing)];
    return {
      name: "start-up",
      unit: "ms",
      ours: spreadOf(samples.list),
      peer: spreadOf(samples.nothing),
      target: "at most 2 times node -e 0",
      met: parts.every((each) => each.met),
      parts,
    };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function part(name: string, ours: readonly number[], peer: readonly number[]): BenchmarkResult {
  const mine: Spread = spreadOf(ours);
  const other: Spread = spreadOf(peer);
  const ratio = Math.round((other.median / mine.median) * 1000) / 1000;
  return { name, unit: "ms", ours: mine, peer: other, ratio, target: "at most 2 times node -e 0", met: mine.median <= 2 * other.median };
}

function run(cwd: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, env: { PATH: process.env["PATH"], HOME: cwd }, encoding: "utf8" });
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${String(status)}: ${stderr}`);
}

if (isMain(import.meta.url)) process.stdout.write(`${JSON.stringify(await benchmark({ quick: process.argv.includes("--quick") }), undefined, 2)}\n`);
