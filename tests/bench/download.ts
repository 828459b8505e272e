import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

const cli = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "cli", "main.js");
const mebibyte = 1024 * 1024;

/**
 * A model of 2 GiB in 8 files from a mirror on loopback, hashed while it arrives, against Python's `hf download`, which does not verify. Whole processes,
 * in turn, each into an empty cache. Needs HOLDFAST_TEST_PYTHON (a Python with huggingface_hub) for the peer.
 */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const home = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  const size = (quick ? 8 : 256) * mebibyte;
  const shelf = join(home, "shelf");
  await writeShards(join(shelf, "bench", "model"), size);
  const mirror = await startMirror(shelf);
  try {
    const python = process.env["HOLDFAST_TEST_PYTHON"];
    const ours: number[] = [];
    const peer: number[] = [];
    let peak = 0;
    await warm(mirror.url);
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      ours.push(await timed(async () => (peak = Math.max(peak, await downloadOurs(home, mirror.url, round)))));
      if (python !== undefined) peer.push(await timed(() => downloadPython(home, mirror.url, python, round)));
    }
    const mine = spreadOf(ours);
    const other = peer.length === 0 ? undefined : spreadOf(peer);
    const faster = other === undefined || mine.median <= other.median;
    return {
      name: `download of ${(8 * size) / mebibyte} MiB in 8 files`,
      unit: "ms",
      ours: mine,
      ...(other === undefined ? {} : { peer: other, ratio: Math.round((other.median / mine.median) * 1000) / 1000 }),
      target: "not slower than hf download, peak memory below 200 MiB",
      met: faster && peak < 200,
      notes: [
        `peak memory ${peak.toFixed(0)} MiB`,
        ...(other === undefined ? ["no peer: set HOLDFAST_TEST_PYTHON to a Python with huggingface_hub"] : []),
      ],
    };
  } finally {
    mirror.stop();
    await rm(home, { recursive: true, force: true });
  }
}

async function writeShards(folder: string, size: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), "{}");
  const block = Buffer.alloc(4 * mebibyte);
  for (let shard = 1; shard <= 8; shard++) {
    const file = await open(join(folder, `model-0000${shard}-of-00008.bin`), "w");
    for (let written = 0; written < size; written += block.length) await file.write(randomFillSync(block));
    await file.close();
  }
}

async function startMirror(shelf: string): Promise<{ readonly url: string; stop(): void }> {
  const child = spawn(process.execPath, [cli, "mirror", "serve", shelf, "--port", "0"], { stdio: ["ignore", "pipe", "ignore"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url !== undefined) return { url, stop: () => child.kill("SIGTERM") };
  }
  throw new Error("the mirror did not start");
}

/** The mirror hashes its files once; that is not what is measured. */
async function warm(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/api/models/bench/model/tree/main?recursive=true`);
    await answer.arrayBuffer();
    if (answer.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function downloadOurs(home: string, url: string, round: number): Promise<number> {
  const root = join(home, `ours-${round}`);
  const report = join(root, "peak-memory");
  await mkdir(join(root, "manifests"), { recursive: true });
  await writeFile(
    join(root, "manifests", "model.yaml"),
    JSON.stringify({
      apiVersion: "holdfast.dev/v1",
      kind: "Model",
      metadata: { name: "model" },
      spec: { source: { huggingface: { repo: "bench/model", revision: "main" } } },
    }),
  );
  const preload = `data:text/javascript,import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS)));`;
  await run(process.execPath, ["--import", preload, cli, "reconcile"], {
    cwd: root,
    env: { PATH: process.env["PATH"], HOME: root, HF_ENDPOINT: url, HF_HUB_CACHE: join(root, "hub") },
  });
  const { readFile } = await import("node:fs/promises");
  const peak = Number(await readFile(report, "utf8")) / 1024;
  await rm(root, { recursive: true, force: true });
  return peak;
}

async function downloadPython(home: string, url: string, python: string, round: number): Promise<void> {
  const cache = join(home, `peer-${round}`);
  await run(join(dirname(python), "hf"), ["download", "bench/model", "--quiet"], {
    cwd: home,
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      HF_ENDPOINT: url,
      HF_HUB_CACHE: cache,
      HF_HUB_DISABLE_XET: "1",
      HF_HUB_DISABLE_TELEMETRY: "1",
      HF_HUB_DISABLE_UPDATE_CHECK: "1",
    },
  });
  await rm(cache, { recursive: true, force: true });
}

async function run(command: string, args: readonly string[], options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<void> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code]: unknown[] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}: ${stderr.slice(-2000)}`);
}

if (isMain(import.meta.url)) process.stdout.write(`${JSON.stringify(await benchmark({ quick: process.argv.includes("--quick") }), undefined, 2)}\n`);
