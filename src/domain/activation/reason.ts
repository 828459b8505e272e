import type { Standing } from "./standing.ts";
import { sameTarget, type ActivationObservation, type ActivationRecord, type ServingTarget } from "./activation.ts";
import type { Backend } from "../backend.ts";

type Seen = Extract<ActivationObservation, { state: "observed" }>;

/** What a switch is about: the model, and its target when its bytes are here already. */
export interface Aim {
  readonly model: string;
  readonly target?: ServingTarget;
}

/** For people: why a backend has to switch, which try it is, and how long nothing will be served. */
export function switchReason(
  backend: Backend,
  seen: Seen,
  { standing, failures }: { readonly standing: Standing; readonly failures: number },
  aim: Aim,
): string {
  const again = failures === 0 ? "" : `, try ${failures + 1} of ${backend.activation.maxAttempts}`;
  const why = isUnderWay(seen.record, aim) ? `the start of ${aim.model} was interrupted and has to be finished` : whySwitch(seen, standing, aim);
  const isInterrupting = standing.kind !== "none" && standing.kind !== "gone";
  return `${why}${again}; ${expectedPause(backend, seen.record, { model: aim.model, isInterrupting })}`;
}

function isUnderWay({ pending }: ActivationRecord, { target }: Aim): boolean {
  return pending !== undefined && pending.phase !== "stopping" && target !== undefined && sameTarget(pending.target, target);
}

function whySwitch({ ours: [first] }: Seen, standing: Standing, aim: Aim): string {
  switch (standing.kind) {
    case "none":
      return first === undefined ? "nothing serves" : `what pid ${first.pid} serves is not recorded any more`;
    case "gone":
    case "broken":
      return standing.why;
    case "silent":
      return standing.failure.message;
    case "serving":
      return difference(standing.activated.target, aim);
  }
}

function difference(served: ServingTarget, { model, target }: Aim): string {
  if (served.model !== model) return `serves ${served.model} instead of ${model}`;
  if (target === undefined || served.content !== target.content) return `${model} is served as it was declared before`;
  return served.digest === target.digest ? `${model} is served with older bytes` : `${model} is served with other arguments`;
}

function expectedPause(
  { activation }: Backend,
  record: ActivationRecord,
  { model, isInterrupting }: { readonly model: string; readonly isInterrupting: boolean },
): string {
  const known = record.timings.find((timing) => timing.model === model);
  if (known !== undefined)
    return isInterrupting
      ? `about ${seconds(known.withoutService)} without service, as last time`
      : `it starts in about ${seconds(known.start)}, as last time`;
  const longest = isInterrupting
    ? `up to ${seconds(activation.stopTimeout + activation.startTimeout)} without service`
    : `it has ${seconds(activation.startTimeout)} to start`;
  return `${longest}, its start was never timed here`;
}

function seconds(ms: number): string {
  const whole = Math.ceil(ms / 1000);
  return whole < 120 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}
