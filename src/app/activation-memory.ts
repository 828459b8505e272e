import type { ProcessFacts, ServingTarget } from "../domain/activation.ts";
import { failed } from "../domain/failure.ts";
import type { GpuMemory } from "../ports/serving-engine.ts";
import { report, type Job, type StartJob } from "./activation-host.ts";

/** What vLLM takes of a GPU when nothing else is said. */
const defaultShare = 0.92;
/** Drivers keep a little; so much more than before counts as before, in MiB. */
const tolerance = 256;
const longestWait = 60_000;
const pause = 500;

/** Throws when the GPUs have less room than vLLM will ask for; what our own server has now becomes free. */
export async function checkGpu({ host, type, signal }: StartJob, target: ServingTarget, ours: readonly ProcessFacts[]): Promise<void> {
  if (type !== "vllm") return;
  const memory = await host.gpu.read(signal);
  if (memory === undefined || memory.gpus.length === 0) return;
  const share = Number(optionOf(target.argv, ["--gpu-memory-utilization"]) ?? defaultShare);
  const wanted = Number(optionOf(target.argv, ["--tensor-parallel-size", "-tp"]) ?? 1);
  const own = memory.uses.filter((use) => ours.some((process) => process.pid === use.pid)).reduce((sum, use) => sum + use.used, 0);
  const roomy = memory.gpus.filter((gpu) => gpu.total - gpu.used + own >= share * gpu.total);
  if (Number.isNaN(share) || Number.isNaN(wanted) || roomy.length >= Math.min(wanted, memory.gpus.length)) return;
  const state = memory.gpus.map((gpu) => `GPU ${gpu.index}: ${gpu.total - gpu.used + own} of ${gpu.total} MiB free`).join(", ");
  const others = memory.uses.filter((use) => !ours.some((process) => process.pid === use.pid)).map((use) => `pid ${use.pid} has ${use.used} MiB`);
  throw failed("conflict", `the GPU is busy: ${target.model} needs ${Math.round(share * 100)} % of ${wanted === 1 ? "a GPU" : `${wanted} GPUs`}; ${state}${others.length === 0 ? "" : `; ${others.join(", ")}`}`, {
    retry: "transient",
    remedy: "free GPU memory, or lower --gpu-memory-utilization in launch.args",
  });
}

function optionOf(argv: readonly string[], names: readonly string[]): string | undefined {
  const index = argv.findLastIndex((argument) => names.some((name) => argument === name || argument.startsWith(`${name}=`)));
  const found = argv[index];
  return found === undefined ? undefined : found.includes("=") ? found.slice(found.indexOf("=") + 1) : argv[index + 1];
}

/** GPU memory in use now, to compare with after the server that is about to start has stopped. */
export async function gpuBaseline({ host, signal }: Job): Promise<Readonly<Record<string, number>> | undefined> {
  const memory = await host.gpu.read(signal);
  return memory === undefined || memory.gpus.length === 0 ? undefined : Object.fromEntries(memory.gpus.map((gpu) => [gpu.index, gpu.used]));
}

/**
 * Waits until the GPUs are as empty as before the old server was started: a server that starts while memory is being freed can fail in its own
 * measurements. Somebody else may have taken memory meanwhile, so that running out of time is noted and not an error.
 */
export async function waitForMemory(job: Job, baseline: Readonly<Record<string, number>> | undefined): Promise<void> {
  if (baseline === undefined) return;
  const end = performance.now() + longestWait;
  for (;;) {
    const memory = await job.host.gpu.read(job.signal);
    const held = memory?.gpus.filter((gpu) => gpu.used > (baseline[gpu.index] ?? gpu.total) + tolerance) ?? [];
    if (held.length === 0) return;
    report(job, "waiting for GPU memory");
    if (performance.now() >= end) {
      job.host.progress({ type: "note", id: job.id, message: `GPU memory is not back to what it was: ${held.map(describe).join(", ")}` });
      return;
    }
    await job.host.clock.sleep(pause, job.signal);
  }
}

function describe(gpu: GpuMemory): string {
  return `GPU ${gpu.index} has ${gpu.used} of ${gpu.total} MiB in use`;
}
