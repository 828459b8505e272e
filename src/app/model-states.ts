import type { Outcome, Verb } from "../domain/action.ts";
import { isStaleRunner, runnerOf } from "../domain/plan/kept-loaded.ts";
import { canonicalJson } from "../domain/json.ts";
import { afterEvent, afterSight, isModelState, sightOf, type ModelEvent, type ModelStatusRecord, type Sight } from "../domain/model-state.ts";
import { observationOf } from "../domain/placement.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { Preview } from "./preview.ts";

/** The last known state of every declared model with bytes, by name. */
export type ModelStates = ReadonlyMap<string, ModelStatusRecord>;

type Looked = Pick<Preview, "assessments" | "observed">;

const kind = "model-state";

/** What the last pass knew. */
export async function recallStates(state: Pick<StateStore, "remembered">, { assessments }: Looked): Promise<ModelStates> {
  const names = assessments.flatMap((assessment) => (assessment.state === "remote" ? [] : [assessment.model.metadata.name]));
  const texts = await state.remembered(kind, names);
  return new Map(names.map((name) => [name, recordIn(name, texts.get(name))]));
}

/** Keeps the states for the next pass: when a model was last used is known to nobody else. */
export async function rememberStates(state: Pick<StateStore, "remember">, states: ModelStates): Promise<void> {
  if (states.size > 0) await state.remember(kind, new Map([...states].map(([name, record]) => [name, canonicalJson(record)])));
}

/** The states after a look: only what was seen changes, everything else stays as it was. */
export function statesAfterLook(states: ModelStates, view: Looked): ModelStates {
  const sights = new Map(view.assessments.map((assessment) => [assessment.model.metadata.name, sightOfModel(assessment, view)]));
  return new Map([...states].map(([name, record]) => [name, afterSight(record, sights.get(name) ?? { seen: "nothing" }, view.observed.at)] as const));
}

function sightOfModel(assessment: Looked["assessments"][number], { observed }: Looked): Sight {
  if (assessment.state === "remote" || assessment.state === "unlockable" || assessment.state === "unreadable") return { seen: "nothing" };
  const observation = observationOf(observed.stores, assessment.store);
  const holding = assessment.state === "held" ? assessment.holding : undefined;
  if (holding === undefined || observation?.state !== "observed" || isStaleRunner(holding)) return sightOf(observation, () => holding);
  const runner = runnerOf(holding, observation);
  return { seen: "present", holding: runner === undefined ? holding : { ...holding, loaded: runner } };
}

/** The states after what a pass did; a failure stays visible until the next pass looks again. */
export function statesAfterRun(states: ModelStates, view: Pick<Preview, "plan">, outcomes: readonly Outcome[]): ModelStates {
  const next = new Map(states);
  for (const { id, name, verb } of view.plan.actions) {
    const record = next.get(name);
    const outcome = outcomes.find((candidate) => candidate.actionId === id);
    if (record !== undefined && outcome !== undefined) next.set(name, eventsOf(verb, outcome).reduce(afterEvent, record));
  }
  return next;
}

function eventsOf(verb: Verb, outcome: Outcome): readonly ModelEvent[] {
  const isPull = verb === "pull" || verb === "repair" || verb === "tag";
  if (outcome.state === "skipped" || (!isPull && verb !== "load")) return [];
  const start: ModelEvent = { kind: isPull ? "pull-started" : "load-started" };
  if (outcome.state === "failed") return [start, { kind: "failed", reason: outcome.failure.message }];
  return isPull ? [start, { kind: "pull-ended" }] : [start];
}

/** The states when a pass is over: what failed in it is said, everything else is as the last look saw it. */
export function statesAfterPass(states: ModelStates, after: Looked): ModelStates {
  const seen = statesAfterLook(states, after);
  return new Map([...states].map(([name, record]) => [name, record.now.state === "error" ? record : (seen.get(name) ?? record)] as const));
}

/** A text of another version is as good as none. */
function recordIn(name: string, text: string | undefined): ModelStatusRecord {
  const value = parsed(text);
  const now = value["now"];
  if (!isModelState(now)) return { name, now: { state: "not-present" } };
  const { lastUsed, sizeBytes } = value;
  return {
    name,
    now,
    ...(typeof sizeBytes === "number" ? { sizeBytes } : {}),
    ...(typeof lastUsed === "string" ? { lastUsed } : {}),
  };
}

function parsed(text = "{}"): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
