import { commandOf, isEngine } from "../../domain/activation/arguments.ts";
import type { Backend } from "../../domain/backend.ts";
import { toFailure } from "../../domain/failure.ts";
import type { ServingObservation } from "../../domain/observed.ts";
import { isHere, type ServingMachine } from "../activation/activation-host.ts";
import type { Check } from "./check.ts";
import { versionChecks } from "./versions.ts";

/** What is served, whether it could be started from here, and what the GPUs have left. */
export async function examineServing(
  backends: readonly Backend[],
  serving: readonly ServingObservation[],
  machine: ServingMachine,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const engines = backends.filter((backend) => isEngine(backend.type) && isHere(machine.processes, backend));
  const programs = await Promise.all(engines.map((backend) => programCheck(backend, machine)));
  const answers = serving.flatMap((observation) => {
    const backend = backends.find((candidate) => candidate.metadata.name === observation.backend);
    return backend === undefined ? [] : [servingCheck(observation, backend)];
  });
  return [
    ...answers,
    ...backends.flatMap((backend) => keyChecks(backend, machine)),
    ...programs,
    ...(engines.length === 0 ? [] : [await gpuCheck(machine, signal)]),
  ];
}

function servingCheck(serving: ServingObservation, backend: Backend): Check {
  const id = `DOC-${backend.type.toUpperCase()}`;
  if (serving.state === "unknown")
    return { id, state: "warning", fact: `${serving.backend}: ${serving.failure.message}`, ...remedyOf(serving.failure) };
  if (serving.state === "down") return idleCheck(id, backend);
  const [outdated] = backend.type === "vllm" && serving.version !== undefined ? versionChecks("vllm", serving.version) : [];
  if (outdated !== undefined) return outdated;
  const ids = serving.models.map((model) => model.id).join(", ");
  return { id, state: serving.healthy ? "ok" : "warning", fact: `${serving.backend}: serves ${ids || "nothing"}` };
}

function idleCheck(id: string, { metadata, active, type }: Backend): Check {
  if (active?.kind === "none") return { id, state: "ok", fact: `${metadata.name}: nothing listens there, as declared` };
  const remedy = active !== undefined && isEngine(type) ? "holdfast reconcile starts it" : "start the server, or remove the backend";
  return { id, state: "warning", fact: `${metadata.name}: nothing listens there`, remedy };
}

async function programCheck(backend: Backend, { processes, paths }: ServingMachine): Promise<Check> {
  const { name } = backend.metadata;
  const id = "DOC-ENGINE-PROGRAM";
  if (!isEngine(backend.type)) return { id, state: "ok", fact: `${name} is not started by Holdfast` };
  const [program = ""] = commandOf(backend.type, backend);
  try {
    return { id, state: "ok", fact: `${name}: ${program} is ${await processes.resolveProgram(program, paths.root)}` };
  } catch (error) {
    const state = backend.active?.kind === "model" ? "failed" : "warning";
    return { id, state, fact: `${name}: ${toFailure(error).message}`, remedy: "install it, or say where it is: launch.command of the Backend" };
  }
}

function keyChecks(backend: Backend, { apiKeyOf }: ServingMachine): readonly Check[] {
  const { apiKeyEnv, metadata } = backend;
  if (apiKeyEnv === undefined || apiKeyOf(backend) !== undefined) return [];
  const remedy = `export ${apiKeyEnv}=...`;
  return [{ id: "DOC-API-KEY", state: "warning", fact: `${metadata.name}: its API key is in ${apiKeyEnv}, which is not set`, remedy }];
}

async function gpuCheck({ gpu }: ServingMachine, signal: AbortSignal): Promise<Check> {
  const memory = await gpu.read(signal);
  if (memory === undefined) return { id: "DOC-GPU", state: "ok", fact: "nvidia-smi does not answer: GPU memory is not checked before a switch" };
  const gpus = memory.gpus.map(({ index, used, total }) => `${index}: ${gib(total - used)} of ${gib(total)} GiB free`);
  return { id: "DOC-GPU", state: "ok", fact: `GPU ${gpus.join(", ")}` };
}

function gib(mebibytes: number): string {
  return (mebibytes / 1024).toFixed(1);
}

function remedyOf({ remedy }: { readonly remedy?: string }): { readonly remedy?: string } {
  return remedy === undefined ? {} : { remedy };
}
