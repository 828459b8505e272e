import {
  leaderLives,
  sameTarget,
  type Activated,
  type ActivationRecord,
  type Attempts,
  type ProcessFacts,
  type ServingTarget,
} from "./activation.ts";
import { compareText } from "../diagnostic.ts";
import type { Instant, Milliseconds } from "../resource.ts";

/** A server that dies sooner than this after it was proven counts as a failed start. */
export const stableAfter: Milliseconds = 10 * 60_000;

const firstPause: Milliseconds = 30_000;
const longestPause: Milliseconds = 30 * 60_000;

/** Whether one more start of a target may be tried now. */
export type AttemptVerdict =
  | { readonly kind: "allowed"; readonly failures: number }
  | { readonly kind: "wait"; readonly failures: number; readonly until: Instant; readonly reason: string }
  | { readonly kind: "exhausted"; readonly failures: number; readonly reason: string };

/** What the verdict depends on beside the record. */
export interface AttemptQuestion {
  readonly now: Instant;
  readonly maxAttempts: number;
  readonly ours: readonly ProcessFacts[];
  /** Something serves meanwhile: there is time to back off. Without service the next start is tried at once. */
  readonly served: boolean;
}

/** Bounds the starts of a target: never more failures than `maxAttempts`, and pauses that grow while something else serves. */
export function attemptVerdict(record: ActivationRecord, target: ServingTarget, question: AttemptQuestion): AttemptVerdict {
  const attempts = attemptsOf(record, target, question);
  if (attempts === undefined) return { kind: "allowed", failures: 0 };
  const { failures, reason, lastFailedAt } = attempts;
  if (failures >= question.maxAttempts) return { kind: "exhausted", failures, reason };
  const pause = Math.min(longestPause, firstPause * 4 ** (failures - 1));
  const until = new Date(Date.parse(lastFailedAt) + pause).toISOString();
  return question.served && compareText(question.now, until) < 0 ? { kind: "wait", failures, until, reason } : { kind: "allowed", failures };
}

/** Failures of a target so far; the early death of a proven server is one of them, and a long life wipes them out. */
export function attemptsOf(
  record: ActivationRecord,
  target: ServingTarget,
  { now, ours }: Pick<AttemptQuestion, "now" | "ours">,
): Attempts | undefined {
  const known = record.attempts.find((candidate) => sameTarget(candidate, target));
  const { committed } = record;
  if (committed === undefined || !diedAlone(record, committed, target, ours)) return known;
  if (Date.parse(now) - Date.parse(committed.committedAt) >= stableAfter) return undefined;
  const first = { failures: 0, lastFailedAt: now, reason: "it ended by itself soon after it was proven", lines: [] };
  const before = known ?? { ...identityOf(target), ...first };
  return { ...before, failures: before.failures + 1 };
}

/** True when the committed server is of this target and is gone, though nobody was switching. */
function diedAlone(record: ActivationRecord, committed: Activated, target: ServingTarget, ours: readonly ProcessFacts[]): boolean {
  return record.pending === undefined && sameTarget(committed.target, target) && !leaderLives(committed, ours);
}

/** The record after one more failed start of a target. */
export function withFailure(
  record: ActivationRecord,
  target: ServingTarget,
  failure: Pick<Attempts, "lastFailedAt" | "reason" | "lines">,
): ActivationRecord {
  const known = record.attempts.find((candidate) => sameTarget(candidate, target));
  const next: Attempts = { ...identityOf(target), failures: (known?.failures ?? 0) + 1, ...failure };
  return { ...record, attempts: [...others(record, target), next].slice(-keptTargets) };
}

/** The record without any failure of a target: it was proven, or a person asks for another try. */
export function withoutFailures(record: ActivationRecord, target: ServingTarget): ActivationRecord {
  return { ...record, attempts: others(record, target) };
}

const keptTargets = 20;

function others(record: ActivationRecord, target: ServingTarget): readonly Attempts[] {
  return record.attempts.filter((candidate) => !sameTarget(candidate, target));
}

function identityOf({ digest, contentDigest }: ServingTarget): Pick<Attempts, "digest" | "contentDigest"> {
  return contentDigest === undefined ? { digest } : { digest, contentDigest };
}
