import type { ProcessFacts, ServingTarget } from "../../domain/activation/activation.ts";
import { failed } from "../../domain/failure.ts";
import type { GpuMemory } from "../../ports/serving-engine.ts";
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
  const need = {
    share: numberOf(target.argv, ["--gpu-memory-utilization"], defaultShare),
    gpus: numberOf(target.argv, ["--tensor-parallel-size", "-tp"], 1),
  };
  if (memory === undefined || memory.gpus.length === 0) return;
  const isOurs = (pid: number): boolean => ours.some((own) => own.pid === pid);
  const own = memory.uses.filter((use) => isOurs(use.pid)).reduce((sum, use) => sum + use.used, 0);
  const free = memory.gpus.map((gpu) => ({ ...gpu, free: Math.min(gpu.total, gpu.total - gpu.used + own) }));
  if (free.filter((gpu) => gpu.free >= need.share * gpu.total).length >= Math.min(need.gpus, free.length)) return;
  const others = memory.uses.filter((use) => !isOurs(use.pid)).map((use) => `pid ${use.pid} has ${use.used} MiB`);
  const state = [...free.map((gpu) => `GPU ${gpu.index}: ${gpu.free} of ${gpu.total} MiB free`), ...others].join("; ");
  const wanted = `${Math.round(need.share * 100)} % of ${need.gpus === 1 ? "a GPU" : `${need.gpus} GPUs`}`;
  throw failed("conflict", `the GPU is busy: ${target.model} needs ${wanted}; ${state}`, {
    retry: "transient",
    remedy: "free GPU memory, or lower --gpu-memory-utilization in launch.args",
  });
}

function numberOf(argv: readonly string[], names: readonly string[], otherwise: number): number {
  const number = Number(optionOf(argv, names) ?? otherwise);
  return Number.isNaN(number) ? otherwise : number;
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
