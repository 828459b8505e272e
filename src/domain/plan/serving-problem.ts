import type { Backend } from "../backend.ts";
import type { DriftClass } from "../drift.ts";
import type { Failure } from "../failure.ts";
import type { PlanInput } from "./plan-input.ts";

/** What an endpoint that Holdfast does not start serves instead of what the manifests say. */
export interface ServingProblem {
  readonly class: Extract<DriftClass, "unknown" | "backend">;
  readonly message: string;
  readonly failure?: Failure;
}

/** Compares the ids that an endpoint lists with the one that the manifests want active on it; undefined when it is there, or nothing is wanted. */
export function servingProblem(backend: Backend, { desired, observed }: Pick<PlanInput, "desired" | "observed">): ServingProblem | undefined {
  const { name } = backend.metadata;
  const serving = observed.serving.find((candidate) => candidate.backend === name);
  if (serving === undefined || backend.active === undefined) return undefined;
  const wanted = wantedId(backend.active, { desired });
  const isIdle = backend.active.kind === "none";
  switch (serving.state) {
    case "unknown":
      return { class: "unknown", message: serving.failure.message, failure: serving.failure };
    case "down":
      return isIdle ? undefined : { class: "backend", message: `nothing serves ${wanted} on ${name}` };
    case "serving": {
      const ids = serving.models.map((model) => model.id);
      if (isIdle ? ids.length === 0 : ids.includes(wanted)) return undefined;
      return { class: "backend", message: `${name} serves ${ids.length === 0 ? "nothing" : ids.join(", ")} instead of ${wanted}` };
    }
  }
}

/** The id under which the active model has to be served, or `nothing`. */
export function wantedId(active: NonNullable<Backend["active"]>, { desired }: Pick<PlanInput, "desired">): string {
  if (active.kind === "none") return "nothing";
  return desired.models.find((model) => model.metadata.name === active.name)?.servedModelId ?? active.name;
}
