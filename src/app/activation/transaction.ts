import { withFailure } from "../../domain/activation/attempts.ts";
import { sameTarget, type ActivationRecord, type ServingTarget } from "../../domain/activation/activation.ts";
import { toFailure } from "../../domain/failure.ts";
import { logPath, steady, type Seen, type StartJob } from "./activation-host.ts";
import { explainStart, startError, type StartFailure } from "./failure.ts";
import { saveRecord } from "./journal.ts";
import { preflightAgain, type Ready } from "./preflight.ts";
import { prove, type Started } from "./prove.ts";
import { commit, launch, resumable, type Purpose, type Switched, type Verdict } from "./start.ts";
import { drain, rememberStranger, stopAll, stopFailed } from "./stop.ts";

/** Stops what serves, starts a target and proves it. A failed start puts the previous model back and throws. */
export async function switchTo(job: StartJob, seen: Seen, ready: Ready, purpose: Purpose): Promise<Switched> {
  const { target } = ready;
  const running = resumable(seen, target, job.place.port);
  const record = running === undefined ? await makeRoom(job, seen, target, purpose) : seen.record;
  const verdict = { status: "True", reason: "Serving", message: `${target.model} serves` } as const;
  const attempt = await tryStart(job, record, ready, { purpose, verdict, ...(running === undefined ? {} : { running }) });
  return "activated" in attempt ? attempt : giveUp(job, attempt.record, target, attempt.failure);
}

/** Stops what is there. From the first signal on nothing is cancelled until the new server is on its way: stopping half is worse than finishing. */
async function makeRoom(job: StartJob, seen: Seen, target: ServingTarget, purpose: Purpose): Promise<ActivationRecord> {
  await drain(job, seen);
  job.signal.throwIfAborted();
  const strangers = job.adopt ? seen.strangers : [];
  const known = await rememberStranger(job, seen.record, strangers);
  const record = await saveRecord(job, { ...known, pending: { phase: "stopping", purpose, since: job.host.clock.now(), target } });
  try {
    await stopAll(steady(job), { ...seen, record }, strangers);
  } catch (error) {
    await saveRecord(job, withFailure(record, target, { lastFailedAt: job.host.clock.now(), reason: toFailure(error).message, lines: [] }));
    throw error;
  }
  return record;
}

type Attempt = Switched | { readonly record: ActivationRecord; readonly failure: StartFailure };

interface StartPlan {
  readonly purpose: Purpose;
  /** What the record will say when it serves. */
  readonly verdict: Verdict;
  readonly running?: Started;
}

/**
 * Starts and proves a target; a server that fails is stopped again and counted. When the record cannot be written or the switch is cancelled, it throws
 * and leaves the server: the next pass finds it by its marker and goes on.
 */
async function tryStart(job: StartJob, before: ActivationRecord, ready: Ready, { purpose, verdict, running }: StartPlan): Promise<Attempt> {
  const { target } = ready;
  const begun = running === undefined ? await launch(steady(job), before, ready, purpose) : { record: before, started: running };
  if ("refusal" in begun) return failedAttempt(job, begun.record, { target, log: begun.log }, begun.refusal);
  const { record, started } = begun;
  try {
    await prove(job, started);
  } catch (error) {
    if (job.signal.aborted) throw job.signal.reason;
    return failedAttempt(job, record, started, error);
  }
  return commit(job, record, started, verdict);
}

/** Stops what did not come up, and counts it. */
async function failedAttempt(
  job: StartJob,
  record: ActivationRecord,
  started: Pick<Started, "target" | "log"> & Partial<Started>,
  error: unknown,
): Promise<Attempt> {
  const { target, log, leader } = started;
  const exit = leader === undefined || job.host.processes.isAlive(leader) ? undefined : await job.host.processes.exitOf(leader);
  const failure = await explainStart(job, { target, log, ...(exit === undefined ? {} : { exit }) }, error);
  await stopFailed(steady(job), leader);
  for (const line of failure.lines) job.host.progress({ type: "note", id: job.id, message: line });
  const { pending: _, ...rest } = withFailure(record, target, { lastFailedAt: job.host.clock.now(), reason: failure.reason, lines: failure.lines });
  return { record: rest, failure };
}

/** After a failed start: the previous model is put back and proven, or the record says that nothing serves. */
async function giveUp(job: StartJob, failedRecord: ActivationRecord, target: ServingTarget, failure: StartFailure): Promise<never> {
  const { committed } = failedRecord;
  const at = job.host.clock.now();
  const record = await saveRecord(job, { ...failedRecord, condition: { status: "False", reason: "StartFailed", message: failure.reason, at } });
  if (committed === undefined || sameTarget(committed.target, target)) throw startError(failure, "nothing serves");
  const previous = committed.target.model;
  if (!job.rollback) throw startError(failure, `nothing serves: ${previous} is not put back because activation.rollback is false`);
  job.host.progress({ type: "note", id: job.id, message: `${target.model} did not come up: ${failure.reason}; putting ${previous} back` });
  const back = await putBack(job, record, committed.target, failure.reason);
  const log = logPath(job.host.paths, job.type, previous);
  if (back === "serves") throw startError(failure, `${previous} serves again`, log);
  const message = `${failure.reason}; ${previous} could not be put back: ${back.reason}`;
  await saveRecord(job, { ...back.record, condition: { status: "False", reason: "RollbackFailed", message, at: job.host.clock.now() } });
  throw startError(failure, `${previous} could not be put back (${back.reason}), nothing serves`, log);
}

/** Starts the previous model again and proves it; says why when it cannot. */
async function putBack(
  { probe: _, ...job }: StartJob,
  record: ActivationRecord,
  target: ServingTarget,
  because: string,
): Promise<"serves" | { readonly record: ActivationRecord; readonly reason: string }> {
  try {
    const empty = { state: "observed", backend: job.place.backend, record, ours: [], listening: false, strangers: [] } as const;
    const verdict = { status: "False", reason: "StartFailed", message: `${because}; ${target.model} serves again` } as const;
    const attempt = await tryStart(job, record, await preflightAgain(job, target, empty), { purpose: "restore", verdict });
    return "activated" in attempt ? "serves" : { record: attempt.record, reason: attempt.failure.reason };
  } catch (error) {
    if (job.signal.aborted) throw job.signal.reason;
    return { record, reason: toFailure(error).message };
  }
}
