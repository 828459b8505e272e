import type { DesiredState } from "../domain/desired.ts";
import type { Memory } from "../domain/inventory.ts";
import type { LockFile } from "../domain/lock.ts";
import type { ObservedState, VerificationLevel } from "../domain/observed.ts";
import { assessAll } from "../domain/plan/plan.ts";
import type { Clock } from "../ports/clock.ts";
import type { ProgressSink } from "../ports/progress.ts";
import type { Connections } from "./host.ts";
import { observe } from "./observe.ts";

/** The declared models whose bytes matter, and what is known about them. */
export interface Subject {
  readonly desired: DesiredState;
  readonly lock: LockFile;
  readonly memory: Memory;
}

/** Looks twice: first to find where the declared models are, then at the bytes of exactly those. */
export async function observeModels(
  connections: Connections,
  subject: Subject,
  request: { readonly level: VerificationLevel; readonly progress: ProgressSink },
  clock: Clock,
  signal: AbortSignal,
): Promise<ObservedState> {
  const observed = await observe(connections, { level: "presence" }, clock, signal);
  if (request.level === "presence") return observed;
  const assessments = assessAll({ ...subject, observed, upstream: {} });
  const refs = assessments.flatMap((assessment) => (assessment.state === "held" ? [assessment.holding.ref] : []));
  return observe(connections, { ...request, refs }, clock, signal);
}
