import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activate } from "../../src/app/activation/activate.ts";
import { servingWorld } from "../app/activation/activation-world.ts";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

const load = 500;
const stop = 200;
const target = 250;

/** Our own share of a switch: the whole of it, less what the old server took from the signal to its end and the new one from its start until it listened. */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const rounds = quick ? 4 : 20;
  const root = await realpath(await mkdtemp(join(tmpdir(), "holdfast-bench-")));
  const times = join(root, "times");
  const switches = { FAKE_VLLM_LOAD_MS: String(load), FAKE_VLLM_STOP_MS: String(stop), FAKE_VLLM_TIMES: times };
  const world = await servingWorld(root);
  const shares: number[] = [];
  const totals: number[] = [];
  try {
    const models = [await world.model("a", switches), await world.model("b", switches)];
    for (let round = 0; round <= rounds; round += 1) {
      const model = models[round % 2];
      if (model === undefined) throw new Error("two models are declared");
      const seen = (await eventsIn(times)).length;
      const total = await timed(() => activate(world.host, { backend: world.backend, ...model }, world.options()));
      if (round === 0) continue;
      totals.push(total);
      shares.push(total - engineTime((await eventsIn(times)).slice(seen)));
    }
  } finally {
    await world.close();
    await rm(root, { recursive: true, force: true });
  }
  const ours = spreadOf(shares);
  const whole = spreadOf(totals).median;
  return {
    name: "our share of a switch on one port",
    unit: "ms",
    ours,
    target: `below ${target} ms at the median`,
    met: ours.median < target,
    notes: [`whole switch ${whole} ms: the stand-in stops in ${stop} ms and loads in ${load} ms, and its program has to start`],
  };
}

interface EngineEvent {
  readonly event: "start" | "ready" | "signal" | "end";
  readonly at: number;
}

async function eventsIn(path: string): Promise<readonly EngineEvent[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").flatMap((line): readonly EngineEvent[] => (line === "" ? [] : [JSON.parse(line)]));
}

/** What the two servers of one switch took by themselves. */
function engineTime(events: readonly EngineEvent[]): number {
  const at = (event: EngineEvent["event"]): number => events.find((candidate) => candidate.event === event)?.at ?? Number.NaN;
  return at("end") - at("signal") + (at("ready") - at("start"));
}

if (isMain(import.meta.url)) process.stdout.write(`${JSON.stringify(await benchmark({ quick: process.argv.includes("--quick") }), undefined, 2)}\n`);
