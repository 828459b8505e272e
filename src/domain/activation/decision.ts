import { attemptVerdict, type AttemptQuestion, type AttemptVerdict } from "./attempts.ts";
import { switchReason } from "./reason.ts";
import { identityProblem, standingOf, type Standing } from "./standing.ts";
import { sameTarget, type ActivationObservation, type ServingTarget } from "./activation.ts";
import type { Blocked } from "../action.ts";
import type { Backend } from "../backend.ts";
import type { Failure } from "../failure.ts";
import type { ServingObservation, StoreId } from "../observed.ts";
import type { Instant } from "../resource.ts";

/** What the manifests want a single-port backend to serve. */
export type Wanted =
  | { readonly state: "nothing" }
  | { readonly state: "ready"; readonly target: ServingTarget }
  /** Its bytes arrive in the same plan; `after` names the actions that bring them. */
  | {
      readonly state: "arriving";
      readonly model: string;
      readonly servedId: string;
      readonly store: StoreId;
      readonly ref: string;
      readonly after: readonly string[];
    }
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
  /** A person asks: earlier failed starts do not count. */
  readonly retry?: boolean;
}

type Seen = Extract<ActivationObservation, { state: "observed" }>;

/** Compares what one backend should serve with what stands behind its port. Pure; what is not known leads to nothing. */
export function decideServing(question: ServingQuestion): ServingDecision {
  const { observation } = question;
  if (observation === undefined) return { obstacle: { cause: "unknown", reason: "what runs on this machine was not looked at" } };
  if (observation.state === "unknown") return obstacleOf(observation.failure);
  if (observation.state === "elsewhere") return { obstacle: { cause: "backend", reason: "its endpoint is not on this machine" } };
  const isTaken = observation.listening || observation.strangers.length > 0;
  return observation.ours.length === 0 && isTaken ? decideStranger(question, observation) : decideOurs(question, observation);
}

function decideOurs(question: ServingQuestion, seen: Seen): ServingDecision {
  const { wanted } = question;
  if (wanted.state === "nothing") return decideStop(seen);
  const standing = standingOf(seen, question.serving);
  if (standing.kind === "silent") return obstacleOf(standing.failure);
  if (wanted.state === "unservable") return { obstacle: wanted, ...restoreStep(question, seen, standing, "nothing serves") };
  const isRight = wanted.state === "ready" && standing.kind === "serving" && sameTarget(standing.activated.target, wanted.target);
  return isRight ? decideTidy(seen, wanted) : decideSwitch(question, seen, standing);
}

function obstacleOf(failure: Failure): ServingDecision {
  return { obstacle: { cause: "unknown", reason: failure.message, failure, ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }) } };
}

function decideStop({ record, ours }: Seen): ServingDecision {
  if (ours.length === 0 && record.committed === undefined && record.pending === undefined) return {};
  const model = record.committed?.target.model ?? record.pending?.target?.model;
  return { step: { verb: "deactivate", reason: model === undefined ? "nothing may be served" : `nothing may be served; ${model} is` } };
}

/** Somebody else has the port: theirs is left alone unless the backend says `adopt`. */
function decideStranger({ backend, wanted, serving }: ServingQuestion, { strangers: [first] }: Seen): ServingDecision {
  if (serving?.state === "serving" && servesWanted(wanted, serving)) return {};
  const place = `the port of ${backend.url ?? backend.metadata.name}`;
  if (first === undefined)
    return portObstacle(`a process of another user has ${place} and cannot be stopped from here`, "stop it, or give the Backend another port");
  const who = `pid ${first.pid} (${first.command.join(" ").slice(0, 120)})`;
  if (!backend.adopt)
    return portObstacle(
      `${who} has ${place}, and Holdfast did not start it`,
      "stop it, set adopt: true on the Backend, or give the Backend another port",
    );
  switch (wanted.state) {
    case "nothing":
      return { step: { verb: "deactivate", reason: `nothing may be served; ${who} is, and the backend adopts it` } };
    case "unservable":
      return { obstacle: wanted };
    default:
      return { step: { verb: "activate", wanted, reason: `replaces ${who}, which the backend adopts` } };
  }
}

function portObstacle(reason: string, remedy: string): ServingDecision {
  return { obstacle: { cause: "backend", reason, remedy } };
}

function servesWanted(wanted: Wanted, serving: Extract<ServingObservation, { state: "serving" }>): boolean {
  if (wanted.state === "nothing" || wanted.state === "unservable" || !serving.healthy) return false;
  return identityProblem(wanted.state === "ready" ? wanted.target : { servedId: wanted.servedId }, serving) === undefined;
}

/** The right model serves; what an interrupted switch left behind is cleared away without touching it. */
function decideTidy({ record, ours, stateFile }: Seen, wanted: Extract<Wanted, { state: "ready" }>): ServingDecision {
  const strays = ours.filter((stray) => stray.instance !== undefined && stray.instance !== record.committed?.instance);
  if (record.pending !== undefined || strays.length > 0)
    return { step: { verb: "activate", wanted, reason: "it serves; what an interrupted switch left behind has to be cleared away" } };
  if (stateFile === "stale" || stateFile === "absent")
    return { step: { verb: "activate", wanted, reason: `it serves; the state file is ${stateFile} and has to be written` } };
  return {};
}

function decideSwitch(question: ServingQuestion, seen: Seen, standing: Standing): ServingDecision {
  const { wanted, backend } = question;
  if (wanted.state !== "ready" && wanted.state !== "arriving") return {};
  const aim = wanted.state === "ready" ? { model: wanted.target.model, target: wanted.target } : { model: wanted.model };
  const verdict =
    aim.target === undefined || question.retry === true ? fresh : attemptVerdict(seen.record, aim.target, attemptQuestion(question, seen, standing));
  if (verdict.kind === "allowed")
    return { step: { verb: "activate", wanted, reason: switchReason(backend, seen, { standing, failures: verdict.failures }, aim) } };
  const remedy = `change what ${aim.model} is started with, or: holdfast activate-model ${aim.model}`;
  return {
    obstacle: { cause: "backend", reason: attemptsReason(backend, aim.model, verdict), remedy },
    ...restoreStep(question, seen, standing, `${aim.model} could not be started`),
  };
}

const fresh: AttemptVerdict = { kind: "allowed", failures: 0 };

function attemptsReason({ metadata }: Backend, model: string, verdict: Exclude<AttemptVerdict, { kind: "allowed" }>): string {
  const times = verdict.failures === 1 ? "once" : `${verdict.failures} times`;
  if (verdict.kind === "wait") return `starting ${model} failed ${times} (${verdict.reason}); next try after ${verdict.until}`;
  return `starting ${model} on ${metadata.name} failed ${times}, no more tries: ${verdict.reason}`;
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
  return verdict.kind === "allowed"
    ? { step: { verb: "restore", target: committed.target, reason: `${because}; ${committed.target.model} served last and is put back` } }
    : {};
}
