import { isEngine } from "../activation/arguments.ts";
import { decideServing, type Obstacle, type ServingStep } from "../activation/decision.ts";
import { wantedOf, type ServingContext } from "./wanted-target.ts";
import type { Work } from "../action.ts";
import type { ActivationObservation, ServingTarget } from "../activation/activation.ts";
import type { Assessment } from "./assess.ts";
import type { Backend } from "../backend.ts";
import type { StoreId } from "../observed.ts";
import { servingProblem } from "./serving-problem.ts";
import { act, block, join, nothing, type ActionDraft, type PlanInput, type PlanPart } from "./plan-input.ts";

/** Decides what every single-port backend has to start or stop, and what stands in the way. */
export function planServing(assessments: readonly Assessment[], input: PlanInput, context: ServingContext = {}): PlanPart {
  const managed = input.desired.backends.filter((backend) => isEngine(backend.type) && backend.active !== undefined);
  return join([...managed.map((backend) => planBackend(backend, assessments, input, context)), ...abandoned(input)]);
}

function planBackend(backend: Backend, assessments: readonly Assessment[], input: PlanInput, context: ServingContext): PlanPart {
  const { name } = backend.metadata;
  if (input.activations?.find((candidate) => candidate.backend === name)?.state === "elsewhere") return planElsewhere(backend, input);
  const { wanted, after, precondition } = wantedOf(backend, assessments, input, context);
  const { step, obstacle } = decideServing({
    backend,
    wanted,
    observation: input.activations?.find((candidate) => candidate.backend === name),
    serving: input.observed.serving.find((candidate) => candidate.backend === name),
    now: input.now,
    retry: input.options.retryStarts === true,
  });
  const blocked = obstacle === undefined ? nothing : block({ object: `backend/${name}`, ...reasonOf(obstacle), location: backend.metadata.location });
  if (step === undefined) return blocked;
  const draft = draftOf(backend, step, input.options.retryStarts === true);
  return join([act(step.verb === "activate" ? { ...draft, after, preconditions: precondition } : draft), blocked]);
}

/** A server on another machine is compared, not switched. */
function planElsewhere(backend: Backend, input: PlanInput): PlanPart {
  const problem = servingProblem(backend, input);
  if (problem === undefined) return nothing;
  const { name, location } = backend.metadata;
  const remedy =
    problem.failure === undefined ? `reconcile on the machine of ${backend.url ?? name}, or leave out active here` : problem.failure.remedy;
  return block({
    object: `backend/${name}`,
    location,
    cause: problem.class,
    reason: problem.message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(problem.failure === undefined ? {} : { failure: problem.failure }),
  });
}

function reasonOf({ cause, reason, failure, remedy }: Obstacle): Obstacle {
  return { cause, reason, ...(failure === undefined ? {} : { failure }), ...(remedy === undefined ? {} : { remedy }) };
}

function draftOf(backend: Backend, step: ServingStep, retry: boolean): ActionDraft {
  const { name, location } = backend.metadata;
  const base = {
    object: `backend/${name}`,
    cause: "backend",
    reason: step.reason,
    risk: "high",
    bytesToDownload: 0,
    sizeUnknown: false,
    bytesToFree: 0,
    preconditions: [],
    after: [],
    location,
  } as const;
  switch (step.verb) {
    case "deactivate":
      return { ...base, ...stopped(name), verb: "deactivate", work: { verb: "deactivate", backend: name } };
    case "restore":
      return { ...base, ...activation(name, step.target), work: { ...serve(name, step.target), restore: true } };
    case "activate": {
      const { wanted } = step;
      const again = retry ? { retry: true as const } : {};
      if (wanted.state === "ready") return { ...base, ...activation(name, wanted.target), work: { ...serve(name, wanted.target), ...again } };
      const { model, store, ref } = wanted;
      return { ...base, store, ref, verb: "activate", name: model, work: { verb: "activate", backend: name, model, ...again } };
    }
  }
}

type Activation = Extract<Work, { verb: "activate" }>;

function serve(backend: string, { model, digest, argv }: ServingTarget): Activation {
  return { verb: "activate", backend, model, target: digest, argv };
}

function activation(backend: string, { model, source }: ServingTarget): Pick<ActionDraft, "verb" | "name" | "store" | "ref"> {
  return { verb: "activate", name: model, ...(source ?? { store: "directory", ref: `backend/${backend}` }) };
}

function stopped(backend: string): { readonly name: string; readonly store: StoreId; readonly ref: string } {
  return { name: backend, store: "directory", ref: `backend/${backend}` };
}

/** Servers of ours whose backend has left the manifests. They are stopped like any other thing that left, within the limits that hold for those. */
function abandoned(input: PlanInput): readonly PlanPart[] {
  const { mode, allowEmpty } = input.options.prune;
  if (mode === "off" || mode === "forget") return [];
  const declared = new Set(input.desired.backends.map((backend) => backend.metadata.name));
  const empty = input.desired.models.length === 0 && input.desired.backends.length === 0 && !allowEmpty;
  return (input.activations ?? []).flatMap((observation) => {
    if (observation.state !== "observed" || declared.has(observation.backend) || observation.ours.length === 0) return [];
    const reason = "its backend has left the manifests";
    if (empty)
      return [
        block({
          object: `backend/${observation.backend}`,
          cause: "guard",
          reason: `${reason}, and so has everything else`,
          remedy: "holdfast reconcile --allow-empty",
        }),
      ];
    const { backend } = observation;
    return [
      act({
        object: `backend/${backend}`,
        ...stopped(backend),
        verb: "deactivate",
        cause: "extra",
        reason,
        risk: "high",
        bytesToDownload: 0,
        sizeUnknown: false,
        bytesToFree: 0,
        work: { verb: "deactivate", backend },
        preconditions: [],
        after: [],
      }),
    ];
  });
}

/** Models whose files a server of ours runs from, or would be put back from: never to be purged. */
export function sourcesInUse(
  activations: readonly ActivationObservation[],
): readonly { readonly backend: string; readonly store: StoreId; readonly ref: string }[] {
  return activations.flatMap((observation) => {
    if (observation.state !== "observed") return [];
    const { committed, pending } = observation.record;
    const sources = [committed?.target.source, pending?.target?.source].filter((source) => source !== undefined);
    return sources.map((source) => ({ backend: observation.backend, ...source }));
  });
}
