import type { Backend } from "../domain/backend.ts";
import { chooseProfile, type ChosenProfile } from "../domain/selection/profile.ts";
import { failed } from "../domain/failure.ts";
import type { ProbeImages, Prober } from "../ports/probe.ts";
import type { ServingReader } from "../ports/serving-backend.ts";
import { apiKeyOf, apiKeysByOrigin } from "./api-keys.ts";

/** Readers of every backend that has an address, Ollama included: it lists its models as OpenAI does. */
export async function connectCheckers(backends: readonly Backend[], timeoutMs: number, env: NodeJS.ProcessEnv): Promise<readonly ServingReader[]> {
  const { createServingReader } = await import("../adapters/vllm/serving-reader.ts");
  return backends.flatMap((backend) => {
    const apiKey = apiKeyOf(backend, env);
    const place = { backend: backend.metadata.name, timeoutMs, ...(apiKey === undefined ? {} : { apiKey }) };
    return backend.url === undefined ? [] : [createServingReader({ ...place, url: backend.url })];
  });
}

/** The parts of a probe. */
export async function createProbeParts(
  backends: readonly Backend[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly prober: Prober; readonly images: ProbeImages }> {
  const [{ createProber }, { createProbeImages }] = await Promise.all([
    import("../adapters/openai/prober.ts"),
    import("../adapters/openai/probe-images.ts"),
  ]);
  return { prober: createProber({ apiKeys: apiKeysByOrigin(backends, env) }), images: createProbeImages() };
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
