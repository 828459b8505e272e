import { observeActivations } from "../../src/app/activation/observe-activations.ts";
import { observe } from "../../src/app/observe.ts";
import { createActivationFiles } from "../../src/adapters/process/activation-files.ts";
import { createEngineProcesses } from "../../src/adapters/process/engine-processes.ts";
import { createDisk } from "../../src/adapters/filesystem/disk.ts";
import { createClock } from "../../src/adapters/system/clock.ts";
import { createServingReader } from "../../src/adapters/vllm/serving-reader.ts";
import { backendOf } from "../fakes/content.ts";
import { startServingServer, type ServingServer } from "../fakes/serving-server.ts";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

const backends = 20;
const hanging = 5;
const timeout = 3_000;
/** On top of the one timeout. */
const allowance = 250;

/** What a look at twenty serving backends takes when five of them take connections and never answer. */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const rounds = quick ? 1 : 5;
  const servers = await Promise.all(Array.from({ length: backends }, (_, index) => startServingServer({ mode: index < hanging ? "hang" : "ready" })));
  try {
    const looks: number[] = [];
    const processes: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      looks.push(await timed(() => look(servers)));
      processes.push(await timed(() => lookAtProcesses(servers)));
    }
    const ours = spreadOf(looks);
    const table = spreadOf(processes);
    return {
      name: `look at ${backends} serving backends of which ${hanging} hang`,
      unit: "ms",
      ours,
      target: `one timeout of ${timeout} ms and at most ${allowance} ms more`,
      met: ours.max < timeout + allowance,
      notes: [`their processes and ports: ${table.median} ms at the median, all of them in one look`],
    };
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

async function look(servers: readonly ServingServer[]): Promise<void> {
  const serving = servers.map(({ url }, index) => createServingReader({ backend: `b${index}`, url, timeoutMs: timeout }));
  const seen = await observe({ readers: [], serving }, { level: "stat", refs: [] }, createClock(), new AbortController().signal);
  const unknown = seen.serving.filter(({ state }) => state === "unknown").length;
  if (unknown !== hanging) throw new Error(`${unknown} backends are unknown instead of ${hanging}`);
}

async function lookAtProcesses(servers: readonly ServingServer[]): Promise<void> {
  const declared = servers.map(({ url }, index) => backendOf(`b${index}`, { type: "vllm", url, active: { kind: "model", name: "m" } }));
  const root = "/nowhere";
  const host = {
    files: createActivationFiles(createDisk({ quarantineRoot: root })),
    processes: createEngineProcesses({ env: {} }),
    paths: { root, records: root, logs: root },
  };
  const seen = await observeActivations(host, declared, `${root}/active_vllm.json`);
  if (seen.some(({ state }) => state !== "observed")) throw new Error("every backend is looked at");
}

if (isMain(import.meta.url)) process.stdout.write(`${JSON.stringify(await benchmark({ quick: process.argv.includes("--quick") }), undefined, 2)}\n`);
