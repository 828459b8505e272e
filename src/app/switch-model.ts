import { isEngine } from "../domain/activation/arguments.ts";
import type { Backend } from "../domain/backend.ts";
import type { DesiredState } from "../domain/desired.ts";
import { failed } from "../domain/failure.ts";
import type { Model } from "../domain/model.ts";
import type { Host } from "./host.ts";
import { preview, type Preview, type PreviewOptions } from "./preview.ts";
import type { Project } from "./read-project.ts";
import { finish, type PassResult } from "./reconcile.ts";

/** What a person wants a single-port backend to serve now. */
export interface SwitchOrder {
  readonly backend: Backend;
  /** Undefined = nothing. */
  readonly model?: Model;
}

/** What became of it; `unchanged` when it serves already or something stands in the way, which the plan then says. */
export type SwitchResult = { readonly state: "unchanged"; readonly before: Preview } | { readonly state: "done"; readonly result: PassResult };

/** Finds the backend of a declared model, by its name, served id or alias. Throws HoldfastError when it cannot be served by an engine of ours. */
export function orderToServe(desired: DesiredState, asked: string): SwitchOrder {
  const model =
    desired.models.find(({ metadata }) => metadata.name === asked) ??
    desired.models.find(({ servedModelId, aliases }) => servedModelId === asked || aliases.includes(asked));
  if (model === undefined)
    throw failed("invalid-input", `no manifest declares a model ${JSON.stringify(asked)}`, { remedy: "holdfast status lists the declared models" });
  const { name } = model.metadata;
  const backend = desired.backends.find((candidate) => candidate.metadata.name === model.backend);
  if (backend === undefined)
    throw failed("invalid-input", `${name} belongs to no Backend, so nothing can serve it`, { remedy: "write backend: NAME into its manifest" });
  if (backend.type === "ollama") throw failed("invalid-input", `${name} is served by Ollama, which loads models by itself when they are asked for`);
  if (!isEngine(backend.type))
    throw failed("invalid-input", `${name} is served by ${backend.metadata.name}, and a ${backend.type} backend is not started by Holdfast`);
  return { backend, model };
}

/** Finds the backend to stop: the named one, or the only one there is. Throws HoldfastError when it is not clear which. */
export function orderToStop(desired: DesiredState, named: string | undefined): SwitchOrder {
  const engines = desired.backends.filter((backend) => isEngine(backend.type));
  const names = engines.map((backend) => backend.metadata.name);
  const [first, second] = named === undefined ? engines : engines.filter((backend) => backend.metadata.name === named);
  if (first === undefined)
    throw failed("invalid-input", named === undefined ? "no manifest declares a vllm, lmdeploy or gguf Backend" : `no such Backend: ${named}`, {
      remedy: names.length === 0 ? "holdfast show-backends lists what is declared" : `one of: ${names.join(", ")}`,
    });
  if (second !== undefined)
    throw failed("invalid-input", "several backends could be stopped", { remedy: `say which: --backend ${names.join(" or --backend ")}` });
  return { backend: first };
}

/**
 * Serves a model now, or nothing, whatever the manifests say: the same pass as any other, on a desired state that differs in this one point. What is
 * published afterwards speaks about the manifests as they are.
 */
export async function switchModel(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  order: SwitchOrder,
  options: PreviewOptions,
  signal: AbortSignal,
): Promise<SwitchResult> {
  const release = await host.lock.acquire("activate-model");
  try {
    const startedAt = host.clock.now();
    const { backend, model } = order;
    const only = [backend.metadata.name, ...(model === undefined ? [] : [model.metadata.name])];
    const wanted = { ...project, desired: withActive(project.desired, order) };
    const before = await preview(host, wanted, { ...options, plan: { ...options.plan, only, retryStarts: true } }, signal);
    if (before.plan.actions.length === 0) return { state: "unchanged", before };
    return { state: "done", result: await finish(host, { ...before, project }, { ...options, command: "activate-model" }, startedAt, signal) };
  } finally {
    release();
  }
}

function withActive(desired: DesiredState, { backend, model }: SwitchOrder): DesiredState {
  const active = model === undefined ? ({ kind: "none" } as const) : ({ kind: "model", name: model.metadata.name } as const);
  return { ...desired, backends: desired.backends.map((candidate) => (candidate === backend ? { ...candidate, active } : candidate)) };
}
