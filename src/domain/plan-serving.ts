import { decideServing, type Obstacle, type ServingStep, type Wanted } from "./activation-decision.ts";
import { isEngine } from "./activation-arguments.ts";
import { launchOf } from "./activation-launch.ts";
import type { ActivationObservation } from "./activation.ts";
import { describeDefects } from "./plan-declared.ts";
import type { Assessment } from "./assess.ts";
import type { Backend } from "./backend.ts";
import { fingerprint } from "./fingerprint.ts";
import type { StoreId } from "./observed.ts";
import { act, block, join, nothing, type ActionDraft, type PlanInput, type PlanPart } from "./plan-input.ts";

/** What other rules of the planner know that serving depends on. */
export interface ServingContext {
  /** Actions on the models themselves, which have to come first. */
  readonly declared?: PlanPart;
  /** Models that do not meet the contract of a role they claim, with the reason. */
  readonly unfit?: ReadonlyMap<string, string>;
}

/** Decides what every single-port backend has to start or stop, and what stands in the way. */
export function planServing(assessments: readonly Assessment[], input: PlanInput, context: ServingContext = {}): PlanPart {
  const managed = input.desired.backends.filter((backend) => isEngine(backend.type) && backend.active !== undefined);
  return join([...managed.map((backend) => planBackend(backend, assessments, input, context)), ...abandoned(input)]);
}

function planBackend(backend: Backend, assessments: readonly Assessment[], input: PlanInput, context: ServingContext): PlanPart {
  const { name } = backend.metadata;
  const { wanted, after, precondition } = wantedOf(backend, assessments, input, context);
  const { step, obstacle } = decideServing({
    backend,
    wanted,
    observation: input.activations?.find((candidate) => candidate.backend === name),
    serving: input.observed.serving.find((candidate) => candidate.backend === name),
    now: input.now,
  });
  const blocked = obstacle === undefined ? nothing : block({ object: `backend/${name}`, ...reasonOf(obstacle), location: backend.metadata.location });
  if (step === undefined) return blocked;
  const draft = draftOf(backend, step);
  return join([act(step.verb === "activate" ? { ...draft, after, preconditions: precondition } : draft), blocked]);
}

function reasonOf({ cause, reason, failure, remedy }: Obstacle): Obstacle {
  return { cause, reason, ...(failure === undefined ? {} : { failure }), ...(remedy === undefined ? {} : { remedy }) };
}

interface WantedParts {
  readonly wanted: Wanted;
  readonly after: readonly string[];
  readonly precondition: ActionDraft["preconditions"];
}

function wantedOf(backend: Backend, assessments: readonly Assessment[], input: PlanInput, context: ServingContext): WantedParts {
  const { active } = backend;
  if (active?.kind !== "model") return { wanted: { state: "nothing" }, after: [], precondition: [] };
  const unservable = (obstacle: Obstacle): WantedParts => ({ wanted: { state: "unservable", model: active.name, ...obstacle }, after: [], precondition: [] });
  const assessment = assessments.find((candidate) => candidate.model.metadata.name === active.name);
  const declared = assessment === undefined ? undefined : unfitness(backend, assessment, input, context);
  if (assessment === undefined) return unservable({ cause: "config", reason: `active names ${active.name}, and no Model is called so`, remedy: "declare the model, or name another one" });
  if (declared !== undefined) return unservable(declared);
  return servable(backend, assessment, context, unservable);
}

/** Why a declared model may not be served here, whatever its files are. */
function unfitness(backend: Backend, { model }: Assessment, input: PlanInput, { unfit }: ServingContext): Obstacle | undefined {
  const { name } = model.metadata;
  const place = backend.metadata.name;
  if (model.lifecycle.state === "deprecated") {
    const { replacedBy } = model.lifecycle;
    return { cause: "lifecycle", reason: `active names ${name}, which is deprecated`, remedy: replacedBy === undefined ? "name a model that stays, or none" : `write active: ${replacedBy}` };
  }
  if (model.backend !== place) return { cause: "config", reason: `active names ${name}, which belongs to ${model.backend === undefined ? "no backend" : `backend ${model.backend}`}`, remedy: `add backend: ${place} to the model` };
  const contract = unfit?.get(name);
  if (contract !== undefined) return { cause: "role", reason: `active names ${name}, which does not fit: ${contract}`, remedy: "name a model that meets the role's contract" };
  if (model.lock.required && !input.lock.entries.some((entry) => entry.name === name)) return { cause: "unverified", reason: `${name} must be locked before it is served`, remedy: `holdfast lock ${name}` };
  return undefined;
}

const bringing: ReadonlySet<string> = new Set(["pull", "repair", "tag", "hash"]);

function servable(backend: Backend, assessment: Assessment, { declared = nothing }: ServingContext, unservable: (obstacle: Obstacle) => WantedParts): WantedParts {
  const { name } = assessment.model.metadata;
  const drafts = declared.actions.filter((draft) => draft.object === `model/${name}` && bringing.has(draft.verb));
  const after = drafts.map((draft) => `${draft.object} ${draft.verb}`);
  const arrival = drafts.find((draft) => draft.verb !== "hash");
  if (arrival !== undefined && assessment.state !== "remote") return { wanted: { state: "arriving", model: name, servedId: assessment.model.servedModelId ?? name, store: assessment.store, ref: arrival.ref, after }, after, precondition: [] };
  if (assessment.state !== "held") return unservable(absence(assessment));
  if (assessment.identity === "different") return unservable({ cause: "digest", reason: `${name} has other content than the lock, so it is not started` });
  if (assessment.defects.length > 0) return unservable({ cause: "corrupt", reason: `${name} is not started: ${describeDefects(assessment.defects)}`, remedy: "holdfast reconcile repairs it where its bytes can be fetched" });
  const launch = launchOf(backend, assessment.model, assessment.holding);
  if ("problem" in launch) return unservable({ cause: "config", reason: `${name} cannot be started: ${launch.problem}`, ...(launch.remedy === undefined ? {} : { remedy: launch.remedy }) });
  const { holding } = assessment;
  return { wanted: { state: "ready", target: launch.target }, after, precondition: [{ kind: "unchanged", store: holding.store, ref: holding.ref, fingerprint: fingerprint(holding) }] };
}

function absence(assessment: Exclude<Assessment, { state: "held" }>): Obstacle {
  const { name } = assessment.model.metadata;
  switch (assessment.state) {
    case "remote":
      return { cause: "config", reason: `${name} has no files on this machine that could be served`, remedy: "give it a huggingface or path source" };
    case "unknown":
      return { cause: "unknown", reason: `whether ${name} is here is not known: ${assessment.failure.message}`, failure: assessment.failure };
    case "unlockable":
      return { cause: "config", reason: `${name} is not started: ${assessment.problem}`, remedy: `holdfast lock ${name} --update` };
    case "missing":
      return { cause: "missing", reason: `${name} is not on this machine` };
    case "unreadable":
      return { cause: "corrupt", reason: `${name} cannot be read: ${assessment.failure.message}`, failure: assessment.failure };
  }
}

function draftOf(backend: Backend, step: ServingStep): ActionDraft {
  const { name, location } = backend.metadata;
  const base = { object: `backend/${name}`, cause: "backend", reason: step.reason, risk: "high", bytesToDownload: 0, sizeUnknown: false, bytesToFree: 0, preconditions: [], after: [], location } as const;
  switch (step.verb) {
    case "deactivate":
      return { ...base, ...stopped(name), verb: "deactivate", work: { verb: "deactivate", backend: name } };
    case "restore": {
      const { model, source, digest, argv } = step.target;
      const place = source ?? { store: "directory", ref: model };
      return { ...base, ...place, verb: "activate", name: model, work: { verb: "activate", backend: name, model, restore: true, target: digest, argv } };
    }
    case "activate": {
      const { wanted } = step;
      if (wanted.state === "arriving") return { ...base, store: wanted.store, ref: wanted.ref, verb: "activate", name: wanted.model, work: { verb: "activate", backend: name, model: wanted.model } };
      const { model, source, digest, argv } = wanted.target;
      const place = source ?? { store: "directory", ref: model };
      return { ...base, ...place, verb: "activate", name: model, work: { verb: "activate", backend: name, model, target: digest, argv } };
    }
  }
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
    if (observation.state === "unknown" || declared.has(observation.backend) || observation.ours.length === 0) return [];
    const reason = "its backend has left the manifests";
    if (empty) return [block({ object: `backend/${observation.backend}`, cause: "guard", reason: `${reason}, and so has everything else`, remedy: "holdfast reconcile --allow-empty" })];
    const { backend } = observation;
    return [act({ object: `backend/${backend}`, ...stopped(backend), verb: "deactivate", cause: "extra", reason, risk: "high", bytesToDownload: 0, sizeUnknown: false, bytesToFree: 0, work: { verb: "deactivate", backend }, preconditions: [], after: [] })];
  });
}

/** Models whose files a server of ours runs from, or would be put back from: never to be purged. */
export function sourcesInUse(activations: readonly ActivationObservation[]): readonly { readonly backend: string; readonly store: StoreId; readonly ref: string }[] {
  return activations.flatMap((observation) => {
    if (observation.state === "unknown") return [];
    const { committed, pending } = observation.record;
    const sources = [committed?.target.source, pending?.target?.source].filter((source) => source !== undefined);
    return sources.map((source) => ({ backend: observation.backend, ...source }));
  });
}
