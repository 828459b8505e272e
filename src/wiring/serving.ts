import { join } from "node:path";
import type { ServingMachine } from "../app/activation/activation-host.ts";
import { isEngine } from "../domain/activation/arguments.ts";
import type { Backend } from "../domain/backend.ts";
import type { Disk } from "../ports/disk.ts";
import type { ServingReader } from "../ports/serving-backend.ts";
import type { ServingEngine } from "../ports/serving-engine.ts";
import type { Settings } from "../settings.ts";
import { apiKeyOf, apiKeysByOrigin } from "./api-keys.ts";

/** Readers of the declared serving endpoints, and what may be asked of those that Holdfast starts. */
export async function connectServing(
  backends: readonly Backend[],
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly serving: readonly ServingReader[]; readonly engines: readonly ServingEngine[] }> {
  const addressed = backends.flatMap((backend) => {
    const { type, url, metadata } = backend;
    const apiKey = apiKeyOf(backend, env);
    const key = apiKey === undefined ? {} : { apiKey };
    return type === "ollama" || url === undefined
      ? []
      : [{ type, place: { backend: metadata.name, url, timeoutMs: settings.timeouts.observe, ...key } }];
  });
  if (addressed.length === 0) return { serving: [], engines: [] };
  const [{ createServingReader }, { createServingEngine }] = await Promise.all([
    import("../adapters/vllm/serving-reader.ts"),
    import("../adapters/vllm/serving-engine.ts"),
  ]);
  return {
    serving: addressed.map(({ place }) => createServingReader(place)),
    engines: addressed.filter(({ type }) => isEngine(type)).map(({ place }) => createServingEngine(place)),
  };
}

/** Processes, files and GPUs of this machine. Nothing is looked at before it is asked for. */
export async function servingMachine(backends: readonly Backend[], settings: Settings, disk: Disk, env: NodeJS.ProcessEnv): Promise<ServingMachine> {
  const [{ createEngineProcesses }, { createActivationFiles }, { createGpuMeter }, { createProber }] = await Promise.all([
    import("../adapters/process/engine-processes.ts"),
    import("../adapters/process/activation-files.ts"),
    import("../adapters/process/gpu-meter.ts"),
    import("../adapters/openai/prober.ts"),
  ]);
  const { paths, logDir } = settings;
  return {
    processes: createEngineProcesses({ env }),
    files: createActivationFiles(disk),
    gpu: createGpuMeter({ env }),
    paths: { root: paths.root, records: join(paths.state, "serving"), logs: logDir ?? join(paths.root, "logs") },
    stateFile: paths.activeModel,
    prober: createProber({ apiKeys: apiKeysByOrigin(backends, env) }),
    apiKeyOf: (backend) => apiKeyOf(backend, env),
  };
}
