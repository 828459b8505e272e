import { attemptVerdict, type AttemptQuestion } from "./activation-attempts.ts";
import { leaderLives, sameTarget, type Activated, type ActivationObservation, type ActivationRecord, type ServingTarget } from "./activation.ts";
import type { Blocked } from "./action.ts";
import type { Backend } from "./backend.ts";
import type { Failure } from "./failure.ts";
import type { ServingObservation, StoreId } from "./observed.ts";
import type { Instant } from "./resource.ts";

/** What the manifests want a single-port backend to serve. */
export type Wanted =
  | { readonly state: "nothing" }
  | { readonly state: "ready"; readonly target: ServingTarget }
  /** Its bytes arrive in the same plan; `after` names the actions that bring them. */
  | { readonly state: "arriving"; readonly model: string; readonly servedId: string; readonly store: StoreId; readonly ref: string; readonly after: readonly string[] }
  | ({ readonly state: "unservable"; readonly model: string } & Obstacle);

/** Why something is not done. */
export type Obstacle = Pick<Blocked, "cause" | "reason" | "failure" | "remedy">;

/** What is to be done about one backend. `restore` puts the model back that was proven last. */
export type ServingStep =
  | { readonly verb: "activate"; readonly wanted: Extract<Wanted, { state: "ready" | "arriving" }>; readonly reason: string }
  | { readonly verb: "restore"; readonly target: ServingTarget; readonly reason: string }
  | { readonly verb: "deactivate"; readonly reason: string };

/** A step, an obstacle, both (the declared model cannot be served, the previous one is put back meanwhile) or neither: in order. */
export interface ServingDecision {
  readonly step?: ServingStep;
  readonly obstacle?: Obstacle;
}

/** Everything the decision about one backend depends on. */
export interface ServingQuestion {
  readonly backend: Backend;
  readonly wanted: Wanted;
  readonly observation: ActivationObservation | undefined;
  readonly serving: ServingObservation | undefined;
  readonly now: Instant;
}

type Seen = Extract<ActivationObservation, { state: "observed" }>;

/** How the model that was proven last stands now. */
type Standing =
  | { readonly kind: "serving"; readonly activated: Activated }
  | { readonly kind: "silent"; readonly failure: Failure }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "gone"; readonly why: string }
  | { readonly kind: "none" };

/** Compares what one backend should serve with what stands behind its port. Pure; what is not known leads to nothing. */
export function decideServing(question: ServingQuestion): ServingDecision {
  const { observation, wanted } = question;
  if (observation === undefined) return { obstacle: { cause: "unknown", reason: "what runs on this machine was not looked at" } };
  if (observation.state === "unknown") return obstacleOf(observation.failure);
  const standing = standingOf(observation, question.serving);
  if (observation.ours.length === 0 && (observation.listening || observation.strangers.length > 0)) return decideStranger(question, observation);
  if (wanted.state === "nothing") return decideStop(observation);
  if (standing.kind === "silent") return obstacleOf(standing.failure);
  if (wanted.state === "unservable") return { obstacle: wanted, ...restoreStep(question, observation, standing, "nothing serves") };
  if (wanted.state === "ready" && standing.kind === "serving" && sameTarget(standing.activated.target, wanted.target)) return decideTidy(observation, wanted);
  return decideSwitch(question, observation, standing);
}

function obstacleOf(failure: Failure): ServingDecision {
  return { obstacle: { cause: "unknown", reason: failure.message, failure, ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }) } };
}

/** How the committed model stands. While it was being stopped, a last healthy answer proves nothing. */
function standingOf({ record, ours }: Seen, serving: ServingObservation | undefined): Standing {
  const { committed, pending } = record;
  if (committed === undefined) return { kind: "none" };
  const { model, servedId, root } = committed.target;
  if (!leaderLives(committed, ours)) return { kind: "gone", why: `the server of ${model} (pid ${committed.leader.pid}) is not running any more` };
  if (pending?.phase === "stopping") return { kind: "broken", why: `${model} was being stopped when the last switch was interrupted` };
  if (serving === undefined || serving.state === "unknown") return { kind: "silent", failure: serving?.failure ?? { code: "unsupported", retry: "terminal", message: "nothing reads this backend" } };
  if (serving.state === "down") return { kind: "broken", why: `the server of ${model} (pid ${committed.leader.pid}) runs and does not answer` };
  if (!serving.healthy) return { kind: "broken", why: `the server of ${model} says it is not healthy` };
  const served = serving.models.find((candidate) => candidate.id === servedId);
  if (served === undefined) return { kind: "broken", why: `the server answers for ${serving.models.map((candidate) => candidate.id).join(", ")} instead of ${servedId}` };
  if (root !== undefined && served.root !== undefined && served.root !== root) return { kind: "broken", why: `the server serves ${served.root} as ${servedId} instead of ${root}` };
  return { kind: "serving", activated: committed };
}

function decideStop({ record, ours }: Seen): ServingDecision {
  if (ours.length === 0 && record.committed === undefined && record.pending === undefined) return {};
  const model = record.committed?.target.model ?? record.pending?.target?.model;
  return { step: { verb: "deactivate", reason: model === undefined ? "nothing may be served" : `nothing may be served; ${model} is` } };
}

/** Somebody else has the port: theirs is left alone unless the backend says `adopt`. */
function decideStranger({ backend, wanted, serving }: ServingQuestion, { strangers }: Seen): ServingDecision {
  const [first] = strangers;
  const who = first === undefined ? "another process, of another user," : `pid ${first.pid} (${first.command.join(" ").slice(0, 120)})`;
  if (serving?.state === "serving" && servesWanted(wanted, serving)) return {};
  const place = backend.url ?? backend.metadata.name;
  if (first === undefined) return { obstacle: { cause: "backend", reason: `${who} has the port of ${place} and cannot be stopped from here`, remedy: "stop it, or give the backend another port" } };
  if (!backend.adopt) return { obstacle: { cause: "backend", reason: `${who} has the port of ${place}, and Holdfast did not start it`, remedy: "stop it, set adopt: true on the Backend, or give the Backend another port" } };
  if (wanted.state === "nothing") return { step: { verb: "deactivate", reason: `nothing may be served; ${who} is, and the backend adopts it` } };
  if (wanted.state === "unservable") return { obstacle: wanted };
  return { step: { verb: "activate", wanted, reason: `replaces ${who}, which the backend adopts` } };
}

function servesWanted(wanted: Wanted, serving: Extract<ServingObservation, { state: "serving" }>): boolean {
  if (wanted.state === "nothing" || wanted.state === "unservable" || !serving.healthy) return false;
  const { servedId, root } = wanted.state === "ready" ? wanted.target : { servedId: wanted.servedId, root: undefined };
  return serving.models.some((model) => model.id === servedId && (root === undefined || model.root === undefined || model.root === root));
}

/** The right model serves; what an interrupted switch left behind is cleared away without touching it. */
function decideTidy({ record, ours, stateFile }: Seen, wanted: Extract<Wanted, { state: "ready" }>): ServingDecision {
  const strays = ours.filter((stray) => stray.instance !== undefined && stray.instance !== record.committed?.instance);
  if (record.pending !== undefined || strays.length > 0) return { step: { verb: "activate", wanted, reason: "it serves; what an interrupted switch left behind has to be cleared away" } };
  if (stateFile === "stale" || stateFile === "absent") return { step: { verb: "activate", wanted, reason: `it serves; the state file is ${stateFile} and has to be written` } };
  return {};
}

function decideSwitch(question: ServingQuestion, seen: Seen, standing: Standing): ServingDecision {
  const { wanted, backend } = question;
  if (wanted.state !== "ready" && wanted.state !== "arriving") return {};
  const { record } = seen;
  const verdict = wanted.state === "arriving" ? ({ kind: "allowed", failures: 0 } as const) : attemptVerdict(record, wanted.target, attemptQuestion(question, seen, standing));
  if (verdict.kind === "allowed") return { step: { verb: "activate", wanted, reason: switchReason(question, seen, standing, verdict.failures) } };
  const { name } = backend.metadata;
  const model = wanted.state === "ready" ? wanted.target.model : wanted.model;
  const times = verdict.failures === 1 ? "once" : `${verdict.failures} times`;
  const remedy = `change what ${model} is started with, or: holdfast activate-model ${model}`;
  const reason = verdict.kind === "wait" ? `starting ${model} failed ${times} (${verdict.reason}); next try after ${verdict.until}` : `starting ${model} on ${name} failed ${times}, no more tries: ${verdict.reason}`;
  return { obstacle: { cause: "backend", reason, remedy }, ...restoreStep(question, seen, standing, `${model} could not be started`) };
}

function attemptQuestion({ backend, now }: ServingQuestion, { ours }: Seen, standing: Standing): AttemptQuestion {
  return { now, ours, maxAttempts: backend.activation.maxAttempts, served: standing.kind === "serving" };
}

/** Puts the model back that was proven last when nothing serves and the declared one cannot. */
function restoreStep(question: ServingQuestion, seen: Seen, standing: Standing, because: string): Pick<ServingDecision, "step"> {
  const { committed } = seen.record;
  if (committed === undefined || standing.kind === "serving" || !question.backend.activation.rollback) return {};
  const { wanted } = question;
  if (wanted.state === "ready" && sameTarget(wanted.target, committed.target)) return {};
  const verdict = attemptVerdict(seen.record, committed.target, attemptQuestion(question, seen, standing));
  return verdict.kind === "allowed" ? { step: { verb: "restore", target: committed.target, reason: `${because}; ${committed.target.model} served last and is put back` } } : {};
}

function switchReason({ backend, wanted }: ServingQuestion, seen: Seen, standing: Standing, failures: number): string {
  const target = wanted.state === "ready" ? wanted.target : undefined;
  const model = target?.model ?? (wanted.state === "arriving" ? wanted.model : "");
  const again = failures === 0 ? "" : `, try ${failures + 1} of ${backend.activation.maxAttempts}`;
  return `${whySwitch(seen, standing, model, target)}${again}; ${expectedPause(backend, seen.record, model)}`;
}

function whySwitch({ record, ours }: Seen, standing: Standing, model: string, target: ServingTarget | undefined): string {
  const { pending } = record;
  if (pending !== undefined && pending.phase !== "stopping" && target !== undefined && sameTarget(pending.target, target)) return `the start of ${model} was interrupted and has to be finished`;
  switch (standing.kind) {
    case "none":
      return ours.length === 0 ? "nothing serves" : `what pid ${ours[0]?.pid ?? 0} serves is not recorded any more`;
    case "gone":
    case "broken":
      return standing.why;
    case "silent":
      return standing.failure.message;
    case "serving": {
      const served = standing.activated.target;
      if (served.model !== model) return `serves ${served.model} instead of ${model}`;
      if (target !== undefined && served.content === target.content && served.argv.join("\0") !== target.argv.join("\0")) return `${model} is served with other arguments`;
      return target !== undefined && served.digest === target.digest ? `${model} is served with older bytes` : `${model} is served as it was declared before`;
    }
  }
}

function expectedPause(backend: Backend, record: ActivationRecord, model: string): string {
  const known = record.timings.find((timing) => timing.model === model);
  if (known !== undefined) return `about ${seconds(known.withoutService)} without service, as last time`;
  return `up to ${seconds(backend.activation.stopTimeout + backend.activation.startTimeout)} without service, its start was never timed here`;
}

function seconds(ms: number): string {
  const whole = Math.ceil(ms / 1000);
  return whole < 120 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}
