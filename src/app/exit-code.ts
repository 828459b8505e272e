import type { Outcome, Plan } from "../domain/action.ts";
import type { Drift } from "../domain/drift.ts";
import type { Failure } from "../domain/failure.ts";

/** Exit codes of the command line (design section 7). */
export const exitCodes = {
  done: 0,
  unexpected: 1,
  drift: 2,
  invalid: 20,
  denied: 21,
  stale: 22,
  locked: 23,
  unknown: 24,
  integrity: 25,
  partial: 26,
  usage: 64,
} as const;

/** Several at once: the worst in this order. */
const severity: readonly number[] = [
  exitCodes.integrity,
  exitCodes.unknown,
  exitCodes.denied,
  exitCodes.partial,
  exitCodes.stale,
  exitCodes.drift,
  exitCodes.done,
];

/** The worst of several exit codes; an unlisted code is worse than all. */
export function worstExitCode(codes: readonly number[]): number {
  const unlisted = codes.find((code) => !severity.includes(code));
  return unlisted ?? severity.find((code) => codes.includes(code)) ?? exitCodes.done;
}

function blockedCodes(plan: Plan): readonly number[] {
  return plan.blocked.map((item) => {
    if (item.failure !== undefined && isIntegrity(item.failure)) return exitCodes.integrity;
    if (item.failure?.code === "precondition") return exitCodes.stale;
    if (item.cause === "unknown") return exitCodes.unknown;
    return item.cause === "guard" || item.cause === "policy" ? exitCodes.denied : exitCodes.partial;
  });
}

/** Wrong bytes, or names that lead out of a root: somebody upstream is not to be trusted. */
function isIntegrity(failure: Failure): boolean {
  return failure.code === "integrity" || failure.code === "unsafe-path";
}

/** After planning only: unknown and denied always count; with `detailed`, anything to do or in the way is drift. */
export function exitCodeOfPlan(plan: Plan, drifts: readonly Drift[], detailed: boolean): number {
  const pending = plan.actions.length > 0 || plan.blocked.length > 0 || drifts.some((drift) => drift.response !== "reported only");
  const codes = blockedCodes(plan).filter((code) => code !== exitCodes.partial);
  return worstExitCode([...codes, ...(detailed && pending ? [exitCodes.drift] : [])]);
}

/** After execution: wrong bytes, then what could not be seen, was denied or did not work. */
export function exitCodeOfRun(plan: Plan, outcomes: readonly Outcome[]): number {
  const codes = outcomes.flatMap((outcome): readonly number[] => {
    if (outcome.state === "applied") return [];
    if (outcome.state === "skipped") return [exitCodes.partial];
    if (isIntegrity(outcome.failure)) return [exitCodes.integrity];
    return [outcome.failure.code === "precondition" ? exitCodes.stale : exitCodes.partial];
  });
  return worstExitCode([...blockedCodes(plan), ...codes]);
}

/** What `drift --fail-on` may name. */
export const failOnChoices = ["drift", "unknown", "policy", "integrity"] as const;
export type FailOn = (typeof failOnChoices)[number];

/** For the drift report: unknown outranks policy, which outranks drift. Reported-only upstream moves never fail. */
export function exitCodeOfDrift(plan: Plan, drifts: readonly Drift[], failOn: readonly FailOn[]): number {
  const counted = drifts.filter((drift) => drift.class !== "upstream-moved");
  const codes: number[] = [];
  if (failOn.includes("unknown") && counted.some((drift) => drift.class === "unknown")) codes.push(exitCodes.unknown);
  if (failOn.includes("policy") && plan.blocked.some((item) => item.cause === "policy" || item.cause === "guard")) codes.push(exitCodes.denied);
  const wrongBytes = counted.some((drift) => drift.class === "corrupt" || drift.class === "digest");
  if (failOn.includes("integrity") && wrongBytes) codes.push(exitCodes.drift);
  if (failOn.includes("drift") && counted.some((drift) => drift.class !== "unknown")) codes.push(exitCodes.drift);
  return worstExitCode(codes);
}
