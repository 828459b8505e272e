import type { Outcome } from "../domain/action.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import { HoldfastError, type Failure } from "../domain/failure.ts";
import { canonicalJson } from "../domain/json.ts";
import { execute } from "./execute.ts";
import { exitCodeOfRun, exitCodes, worstExitCode } from "./exit-code.ts";
import type { Host } from "./host.ts";
import { recallStates, rememberStates, statesAfterLook, statesAfterPass, statesAfterRun, type ModelStates } from "./model-states.ts";
import { preview, type Preview, type PreviewOptions } from "./preview.ts";
import { publish, reportOf, type Publication } from "./publish.ts";
import type { Project } from "./read-project.ts";
import { settleClock } from "./settle-clock.ts";

/** How a pass ended. */
export interface PassResult {
  readonly before: Preview;
  readonly outcomes: readonly Outcome[];
  /** The view that was published: the same as `before` when nothing had to be done. */
  readonly after: Preview;
  /** Where every declared model is now; what failed in this pass is an error. */
  readonly states: ModelStates;
  readonly publication: Publication;
  readonly exitCode: number;
  /** Why registry or report could not be written. */
  readonly failure?: Failure;
}

/** What a caller may do between plan and execution, for example show the plan and ask. Returning false ends the pass without changes. */
export type Approve = (view: Preview) => Promise<boolean>;

/** One pass: look, plan, apply what was planned, look again, publish. Only one process at a time; returns undefined when it was not approved. */
export async function reconcile(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  options: PreviewOptions & { readonly approve: Approve; readonly command: string },
  signal: AbortSignal,
): Promise<PassResult | undefined> {
  const release = await host.lock.acquire(options.command);
  try {
    const startedAt = host.clock.now();
    const jumps = await settleClock(host);
    const before = await preview(host, project, options, signal);
    if (!(await options.approve(before))) return undefined;
    return withFindings(await finish(host, before, options, startedAt, signal), jumps);
  } finally {
    release();
  }
}

/** A pass with findings from before it. */
export function withFindings(result: PassResult, findings: readonly Diagnostic[]): PassResult {
  if (findings.length === 0) return result;
  return { ...result, publication: { ...result.publication, findings: [...findings, ...result.publication.findings] } };
}

/** Executes a previewed plan and publishes the result; the caller holds the instance lock. */
export async function finish(
  host: Host,
  before: Preview,
  options: PreviewOptions & { readonly command: string },
  startedAt: string,
  signal: AbortSignal,
): Promise<PassResult> {
  const outcomes = await execute(before.plan, {
    connections: before.connections,
    state: host.state,
    memory: before.memory,
    desired: before.input.desired,
    lock: before.input.lock,
    observed: before.observed,
    clock: host.clock,
    progress: options.progress,
    concurrency: host.concurrency,
    signal,
  });
  const changed = outcomes.length > 0 || before.plan.bookkeeping.length > 0;
  const after =
    changed && !signal.aborted
      ? await preview(host, before.project, { ...options, level: options.level === "full" ? "stat" : options.level }, signal)
      : before;
  const recalled = statesAfterLook(await recallStates(host.state, before), before);
  const states = statesAfterPass(statesAfterRun(recalled, before, outcomes), after);
  await rememberStates(host.state, states);
  const { publication, failure } = await tryPublish(host, after);
  const exitCode = worstExitCode([exitCodeOfRun(before.plan, outcomes), ...(failure === undefined ? [] : [exitCodes.partial])]);
  await host.state.recordRun({
    id: `${startedAt}-${before.plan.digest.slice(0, 8)}`,
    startedAt,
    endedAt: host.clock.now(),
    command: options.command,
    revision: before.plan.revision.commit ?? before.plan.revision.digest,
    planDigest: before.plan.digest,
    exitCode,
    plan: canonicalJson(before.plan),
    outcomes: canonicalJson(outcomes),
  });
  return { before, outcomes, after, states, publication, exitCode, ...(failure === undefined ? {} : { failure }) };
}

/** What was done is done: when the registry or the report cannot be written, the pass still says what it achieved. */
async function tryPublish(host: Host, view: Preview): Promise<{ readonly publication: Publication; readonly failure?: Failure }> {
  try {
    return { publication: await publish(host, view) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { publication: { files: [], report: reportOf(view), findings: [] }, failure: error.failure };
  }
}
