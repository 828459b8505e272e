import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installSample, makeSample } from "../fakes/ollama-samples.ts";
import { startFakeOllama } from "../fakes/ollama-server.ts";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

const cli = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "cli", "main.js");

interface Measured {
  readonly models: number;
  readonly milliseconds: number;
  readonly requests: number;
  readonly megabytes: number;
}

/** A pass with nothing to do over many Ollama models: requests, time and memory of the whole process. */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const sizes = quick ? [100, 1000] : [1000, 10_000];
  const measured: Measured[] = [];
  for (const models of sizes) measured.push(await measure(models));
  const [small, large] = measured;
  if (small === undefined || large === undefined) throw new Error("two sizes are measured");
  const growth = large.milliseconds / small.milliseconds / (large.models / small.models);
  const first = quick ? large : small;
  const met = first.requests <= 6 && first.milliseconds < 1000 && first.megabytes < 200;
  return {
    name: "idle pass over 1,000 Ollama models",
    unit: "ms",
    ours: spreadOf([first.milliseconds]),
    target: "at most 6 requests, below 1 s, below 200 MiB; time grows linearly",
    met,
    notes: [
      ...measured.map(
        ({ models, milliseconds, requests, megabytes }) =>
          `${models} models: ${milliseconds.toFixed(0)} ms, ${requests} requests, ${megabytes.toFixed(0)} MiB`,
      ),
      `growth per model from ${small.models} to ${large.models} models: ${growth.toFixed(2)}`,
    ],
  };
}

async function measure(models: number): Promise<Measured> {
  const home = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  const root = join(home, "project");
  const store = join(home, "store");
  await mkdir(join(root, "manifests"), { recursive: true });
  const manifests: string[] = [];
  for (let index = 0; index < models; index++) {
    const name = `m${index}:1b`;
    await installSample(store, "registry.ollama.ai", makeSample({ name, seed: index, size: 64 }));
    manifests.push(
      JSON.stringify({
        apiVersion: "holdfast.dev/v1",
        kind: "Model",
        metadata: { name: `m${index}` },
        spec: { source: { ollama: { model: name } } },
      }),
    );
  }
  const perFile = 500;
  for (let index = 0; index < manifests.length; index += perFile)
    await writeFile(join(root, "manifests", `m${index}.yaml`), manifests.slice(index, index + perFile).join("\n---\n"));
  const server = await startFakeOllama(store);
  await writeFile(
    join(root, "manifests", "backend.yaml"),
    JSON.stringify({ apiVersion: "holdfast.dev/v1", kind: "Backend", metadata: { name: "local" }, spec: { type: "ollama", url: server.url, store } }),
  );
  try {
    const env = { PATH: process.env["PATH"] ?? "", HOME: home };
    await run(root, env, ["reconcile"]);
    await run(root, env, ["reconcile"]);
    server.requests.length = 0;
    let megabytes = 0;
    const milliseconds = await timed(async () => {
      megabytes = await run(root, env, ["reconcile"]);
    });
    return { models, milliseconds, requests: server.requests.length, megabytes };
  } finally {
    await server.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** Runs the program and returns its peak memory in MiB. The server under test lives in this process, so the child must not block it. */
async function run(cwd: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<number> {
  const report = join(cwd, "peak-memory");
  const preload = `data:text/javascript,import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS)));`;
  const child = fork(cli, args, { cwd, env, execArgv: ["--import", preload], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code]: unknown[] = await once(child, "exit");
  if (code !== 0) throw new Error(`holdfast ${args.join(" ")} ended with ${String(code)}: ${stderr.slice(0, 2000)}`);
  const { readFile } = await import("node:fs/promises");
  return Number(await readFile(report, "utf8")) / 1024;
}

if (isMain(import.meta.url)) process.stdout.write(`${JSON.stringify(await benchmark({ quick: process.argv.includes("--quick") }), undefined, 2)}\n`);
