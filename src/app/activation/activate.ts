import { attemptsOf, withoutFailures } from "../../domain/activation/attempts.ts";
import { endpointOf, isEngine } from "../../domain/activation/arguments.ts";
import {
  leaderLives,
  sameTarget,
  type Activated,
  type ActivationRecord,
  type ServingTarget,
  type SwitchTiming,
} from "../../domain/activation/activation.ts";
import { keyVariables } from "../../domain/activation/environment.ts";
import type { Backend } from "../../domain/backend.ts";
import { failed } from "../../domain/failure.ts";
import { steady, type ActivationHost, type Job, type Place, type Seen, type StartJob, type VisionProbe } from "./activation-host.ts";
import { clearStateFile, observeActivation, saveRecord } from "./journal.ts";
import { preflight, preflightAgain, type Declared } from "./preflight.ts";
import { servesStill } from "./prove.ts";
import { settle, withLostServer } from "./start.ts";
import { drain, stopAll, stopStrays } from "./stop.ts";
import { switchTo } from "./transaction.ts";

/** What a switch is told beside what it serves. */
export interface SwitchOptions {
  /** Id of the action, repeated in progress events. */
  readonly id: string;
  /** Absolute path of the state file, when it speaks about this backend. */
  readonly stateFile?: string;
  readonly signal: AbortSignal;
}

/** A declared model to serve. */
export interface ActivationRequest extends Declared {
  /** A person asks: earlier failures do not count. */
  readonly force?: boolean;
  /** Only when it is still this target; a plan says which. */
  readonly target?: string;
  /** For models whose role needs vision. */
  readonly probe?: VisionProbe;
}

/** What serves now. `unchanged`: it did so before. */
export interface ActivationResult {
  readonly outcome: "switched" | "unchanged";
  readonly activated: Activated;
  /** Only of a switch. */
  readonly timing?: SwitchTiming;
}

/**
 * Serves a model on a single-port backend: check, drain, stop, start, prove, commit. A failed start puts the previous model back and throws. Cancelling
 * while the new server loads leaves it loading; the record tells the next pass, as it does after `kill -9` at any line.
 */
export async function activate(host: ActivationHost, request: ActivationRequest, options: SwitchOptions): Promise<ActivationResult> {
  const job = startJob(host, request.backend, options, request.probe);
  return exclusively(job, async (seen) => {
    const ready = await preflight(job, request, seen);
    if (request.target !== undefined && request.target !== ready.target.digest)
      throw failed("precondition", `what ${ready.target.model} is started with changed since the plan was made`, {
        retry: "transient",
        remedy: "plan again",
      });
    const known = { ...seen, record: withLostServer(job, seen, ready.target) };
    const record = request.force === true ? withoutFailures(known.record, ready.target) : withEarlyDeath(job, known, ready.target);
    const current = { ...known, record };
    if (await isServing(job, current, ready.target)) return tidy(job, record);
    return { outcome: "switched", ...(await switchTo(job, current, ready, "switch")) };
  });
}

/** Puts the model back that was proven last, exactly as it was started then. */
export async function restorePrevious(host: ActivationHost, backend: Backend, options: SwitchOptions): Promise<ActivationResult> {
  const job = startJob(host, backend, options);
  return exclusively(job, async (seen) => {
    const target = seen.record.committed?.target;
    if (target === undefined) throw failed("precondition", `${backend.metadata.name} never served anything that could be put back`);
    if (await isServing(job, seen, target)) return tidy(job, seen.record);
    const current = { ...seen, record: withEarlyDeath(job, seen, target) };
    return { outcome: "switched", ...(await switchTo(job, current, await preflightAgain(job, target, seen), "restore")) };
  });
}

/** Stops whatever Holdfast serves on a place, and a stranger's server where that is to be adopted. Already stopped is success. */
export async function deactivate(
  host: ActivationHost,
  place: Place & { readonly adopt: boolean },
  options: Omit<SwitchOptions, "stateFile">,
): Promise<void> {
  const job: Job = { host, id: options.id, place, signal: options.signal };
  await exclusively(job, async (seen) => {
    const strangers = place.adopt ? seen.strangers : [];
    if (host.engines.some((engine) => engine.backend === place.backend)) await drain(job, seen);
    const now = host.clock.now();
    const record = await saveRecord(job, { ...seen.record, pending: { phase: "stopping", purpose: "stop", since: now } });
    await stopAll(steady(job), { ...seen, record }, strangers);
    await clearStateFile(job);
    const { committed: _, pending: __, ...rest } = record;
    await saveRecord(job, { ...rest, condition: { status: "False", reason: "Stopped", message: "nothing may be served", at: host.clock.now() } });
  });
}

/** Connects a backend to everything a start needs; throws HoldfastError for backends that are not started by Holdfast. */
function startJob(host: ActivationHost, backend: Backend, { id, stateFile, signal }: SwitchOptions, probe?: VisionProbe): StartJob {
  const { type, activation, metadata, url } = backend;
  if (!isEngine(type)) throw failed("unsupported", `a ${type} backend is not started by Holdfast`);
  const endpoint = endpointOf(backend);
  if ("problem" in endpoint || url === undefined)
    throw failed("invalid-input", `nothing can be started for ${metadata.name}: ${"problem" in endpoint ? endpoint.problem : "it has no address"}`, {
      remedy: "give the backend host and port on this machine",
    });
  const { startTimeout, stopTimeout, smokeTest, rollback } = activation;
  const place = { backend: metadata.name, port: endpoint.port, stopTimeout, ...(stateFile === undefined ? {} : { stateFile }) };
  return {
    host,
    id,
    place,
    signal,
    endpoint,
    url,
    type,
    startTimeout,
    smokeTest,
    rollback,
    adopt: backend.adopt,
    secrets: keyVariables(type, host.apiKeyOf?.(backend)),
    ...(probe === undefined ? {} : { probe }),
  };
}

/** Runs a switch as the only one on its port, on what is there now. */
async function exclusively<Result>(job: Job, run: (seen: Seen) => Promise<Result>): Promise<Result> {
  const release = await job.host.processes.lockPort(job.place.port);
  try {
    const seen = await observeActivation(job.host, job.place);
    if (seen.state === "unknown")
      throw failed(seen.failure.code, seen.failure.message, seen.failure.remedy === undefined ? {} : { remedy: seen.failure.remedy });
    if (seen.recordProblem !== undefined)
      job.host.progress({ type: "note", id: job.id, message: `${seen.recordProblem}; what runs is told by its processes` });
    return await run(seen);
  } finally {
    release();
  }
}

/** Writes the early death of a proven server into the record, so that starting it again and again ends. */
function withEarlyDeath({ host }: Job, { record, ours }: Seen, target: ServingTarget): ActivationRecord {
  const attempts = attemptsOf(record, target, { now: host.clock.now(), ours });
  const rest = withoutFailures(record, target);
  return attempts === undefined ? rest : { ...rest, attempts: [...rest.attempts, attempts] };
}

async function isServing(job: StartJob, { record, ours }: Seen, target: ServingTarget): Promise<boolean> {
  const { committed, pending } = record;
  if (committed === undefined || pending?.phase === "stopping" || !sameTarget(committed.target, target) || !leaderLives(committed, ours))
    return false;
  return servesStill(job, target);
}

/** The right model serves: only clears away what an interrupted switch left. */
async function tidy(job: StartJob, record: ActivationRecord): Promise<ActivationResult> {
  const { committed } = record;
  if (committed === undefined) throw failed("precondition", `${job.place.backend} serves nothing that is known`);
  await stopStrays(job, record);
  await settle(job, record, { status: "True", reason: "Serving", message: `${committed.target.model} serves` });
  return { outcome: "unchanged", activated: committed };
}
