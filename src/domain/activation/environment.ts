import type { EngineType } from "./arguments.ts";

/** Name of the variable by which every process of an instance can be found. */
export const markerVariable = "HOLDFAST_INSTANCE_ID";

const quiet: Readonly<Record<string, string>> = {
  PYTHONUNBUFFERED: "1",
  NO_COLOR: "1",
  // Without it, setproctitle writes the title of a worker over its environment, and the marker in it is gone.
  SPT_NOENV: "1",
  DO_NOT_TRACK: "1",
  HF_HUB_DISABLE_TELEMETRY: "1",
  // The files are here and verified; anything else would be another model than the declared one.
  HF_HUB_OFFLINE: "1",
  TRANSFORMERS_OFFLINE: "1",
};

/** Variables every engine of a type is given before the declared ones; not part of a target's identity. */
export function engineDefaults(type: EngineType): Readonly<Record<string, string>> {
  return type === "vllm" ? { ...quiet, VLLM_NO_USAGE_STATS: "1" } : quiet;
}

const keyVariable: Readonly<Record<EngineType, string | undefined>> = { vllm: "VLLM_API_KEY", gguf: "LLAMA_API_KEY", lmdeploy: undefined };

/** The variable by which an engine learns the API key that it demands; LMDeploy takes keys as arguments only, where everybody can read them. */
export function keyVariables(type: EngineType, key: string | undefined): Readonly<Record<string, string>> {
  const name = keyVariable[type];
  return name === undefined || key === undefined ? {} : { [name]: key };
}

/** Names of variables of the host that an engine may see; everything else stays out of it. */
export const passedVariables: readonly string[] = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "XDG_CACHE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "CUDA_HOME",
  "CUDA_VISIBLE_DEVICES",
  "CUDA_DEVICE_ORDER",
  "NVIDIA_VISIBLE_DEVICES",
  "NVIDIA_DRIVER_CAPABILITIES",
  "HIP_VISIBLE_DEVICES",
  "ROCR_VISIBLE_DEVICES",
  "ZE_AFFINITY_MASK",
  "HF_HOME",
  "HF_HUB_CACHE",
  "VLLM_CACHE_ROOT",
];
