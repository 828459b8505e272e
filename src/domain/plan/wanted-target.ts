import type { Obstacle, Wanted } from "../activation/decision.ts";
import { launchOf } from "../activation/launch.ts";
import type { Assessment } from "./assess.ts";
import type { Backend } from "../backend.ts";
import { fingerprint } from "../fingerprint.ts";
import { describeDefects } from "./plan-declared.ts";
import { nothing, type ActionDraft, type PlanInput, type PlanPart } from "./plan-input.ts";

/** What other rules of the planner know that serving depends on. */
export interface ServingContext {
  /** Actions on the models themselves, which have to come first. */
  readonly declared?: PlanPart;
  /** Models that do not meet the contract of a role they claim, with the reason. */
  readonly unfit?: ReadonlyMap<string, string>;
}

/** What a backend is to serve, the actions that come before, and what must not change until then. */
export interface WantedParts {
  readonly wanted: Wanted;
  readonly after: readonly string[];
  readonly precondition: ActionDraft["preconditions"];
}

/** What the manifests want a backend to serve, as far as it can be served. */
export function wantedOf(backend: Backend, assessments: readonly Assessment[], input: PlanInput, context: ServingContext): WantedParts {
  const { active } = backend;
  if (active?.kind !== "model") return { wanted: { state: "nothing" }, after: [], precondition: [] };
  const unservable = (obstacle: Obstacle): WantedParts => ({
    wanted: { state: "unservable", model: active.name, ...obstacle },
    after: [],
    precondition: [],
  });
  const assessment = assessments.find((candidate) => candidate.model.metadata.name === active.name);
  const declared = assessment === undefined ? undefined : unfitness(backend, assessment, input, context);
  if (assessment === undefined)
    return unservable({
      cause: "config",
      reason: `active names ${active.name}, and no Model is called so`,
      remedy: "declare the model, or name another one",
    });
  if (declared !== undefined) return unservable(declared);
  return servable(backend, assessment, context, unservable);
}

/** Why a declared model may not be served here, whatever its files are. */
function unfitness(backend: Backend, { model }: Assessment, input: PlanInput, { unfit }: ServingContext): Obstacle | undefined {
  const { name } = model.metadata;
  const place = backend.metadata.name;
  if (model.lifecycle.state === "deprecated") {
    const { replacedBy } = model.lifecycle;
    return {
      cause: "lifecycle",
      reason: `active names ${name}, which is deprecated`,
      remedy: replacedBy === undefined ? "name a model that stays, or none" : `write active: ${replacedBy}`,
    };
  }
  if (model.backend !== place)
    return {
      cause: "config",
      reason: `active names ${name}, which belongs to ${model.backend === undefined ? "no backend" : `backend ${model.backend}`}`,
      remedy: `add backend: ${place} to the model`,
    };
  const contract = unfit?.get(name);
  if (contract !== undefined)
    return { cause: "role", reason: `active names ${name}, which does not fit: ${contract}`, remedy: "name a model that meets the role's contract" };
  if (model.lock.required && !input.lock.entries.some((entry) => entry.name === name))
    return { cause: "unverified", reason: `${name} must be locked before it is served`, remedy: `holdfast lock ${name}` };
  return undefined;
}

const bringing: ReadonlySet<string> = new Set(["pull", "repair", "tag", "hash"]);

function servable(
  backend: Backend,
  assessment: Assessment,
  { declared = nothing }: ServingContext,
  unservable: (obstacle: Obstacle) => WantedParts,
): WantedParts {
  const { name } = assessment.model.metadata;
  const drafts = declared.actions.filter((draft) => draft.object === `model/${name}` && bringing.has(draft.verb));
  const after = drafts.map((draft) => `${draft.object} ${draft.verb}`);
  const arrival = drafts.find((draft) => draft.verb !== "hash");
  if (arrival !== undefined && assessment.state !== "remote")
    return {
      wanted: { state: "arriving", model: name, servedId: assessment.model.servedModelId ?? name, store: assessment.store, ref: arrival.ref, after },
      after,
      precondition: [],
    };
  if (assessment.state !== "held") return unservable(absence(assessment));
  if (assessment.identity === "different")
    return unservable({ cause: "digest", reason: `${name} has other content than the lock, so it is not started` });
  if (assessment.defects.length > 0)
    return unservable({
      cause: "corrupt",
      reason: `${name} is not started: ${describeDefects(assessment.defects)}`,
      remedy: "holdfast reconcile repairs it where its bytes can be fetched",
    });
  const launch = launchOf(backend, assessment.model, assessment.holding);
  if ("problem" in launch)
    return unservable({
      cause: "config",
      reason: `${name} cannot be started: ${launch.problem}`,
      ...(launch.remedy === undefined ? {} : { remedy: launch.remedy }),
    });
  const { holding } = assessment;
  return {
    wanted: { state: "ready", target: launch.target },
    after,
    precondition: [{ kind: "unchanged", store: holding.store, ref: holding.ref, fingerprint: fingerprint(holding) }],
  };
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
