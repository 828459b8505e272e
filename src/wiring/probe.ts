import type { Backend } from "../domain/backend.ts";
import { chooseProfile, type ChosenProfile } from "../domain/profile.ts";
import { failed } from "../domain/failure.ts";
import type { ProbeImages, Prober } from "../ports/probe.ts";
import type { ServingReader } from "../ports/serving-backend.ts";

/** Readers of every backend that has an address, Ollama included: it lists its models as OpenAI does. */
export async function connectCheckers(backends: readonly Backend[], timeoutMs: number): Promise<readonly ServingReader[]> {
  const { createServingReader } = await import("../adapters/vllm/serving-reader.ts");
  return backends.flatMap((backend) =>
    backend.url === undefined ? [] : [createServingReader({ backend: backend.metadata.name, url: backend.url, timeoutMs })],
  );
}

/** The parts of a probe; `root` limits where pictures may come from. */
export async function createProbeParts(root?: string): Promise<{ readonly prober: Prober; readonly images: ProbeImages }> {
  const [{ createProber }, { createProbeImages }] = await Promise.all([
    import("../adapters/openai/prober.ts"),
    import("../adapters/openai/probe-images.ts"),
  ]);
  return { prober: createProber(), images: createProbeImages(root === undefined ? {} : { root }) };
}

/** The deployment profile of this machine; GPUs are looked at only where nobody names one. Throws HoldfastError for a name that is unknown. */
export async function profileOfMachine(option: string | undefined, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<ChosenProfile | undefined> {
  const environment = env["IMAGEWORKS_DEPLOYMENT_PROFILE"];
  const stated = { ...(option === undefined ? {} : { option }), ...(environment === undefined ? {} : { environment }) };
  const early = chooseProfile(stated);
  const chosen =
    early !== undefined && "from" in early && early.from === "default" ? chooseProfile({ ...stated, ...(await readGpus(env, signal)) }) : early;
  if (chosen !== undefined && "unknown" in chosen)
    throw failed("invalid-input", `there is no profile ${JSON.stringify(chosen.unknown)}`, { remedy: `one of: ${chosen.known.join(", ")}, none` });
  return chosen;
}

async function readGpus(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<{ readonly gpus?: readonly number[] }> {
  const { createGpuMeter } = await import("../adapters/process/gpu-meter.ts");
  const found = await createGpuMeter({ env }).read(signal);
  return found === undefined ? {} : { gpus: found.gpus.map((gpu) => gpu.total) };
}
