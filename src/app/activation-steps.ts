import { engineDefaults } from "../domain/activation-environment.ts";
import { withoutFailures } from "../domain/activation-attempts.ts";
import {
  leaderLives,
  sameProcess,
  sameTarget,
  type Activated,
  type ActivationObservation,
  type ActivationRecord,
  type ActiveCondition,
  type ProcessFacts,
  type ServingTarget,
  type Transaction,
} from "../domain/activation.ts";
import { activeStateOf, encodeActiveState } from "../domain/active-state.ts";
import { failed } from "../domain/failure.ts";
import { canonicalJson } from "../domain/json.ts";
import { sha256 } from "../domain/digest.ts";
import type { Milliseconds } from "../domain/resource.ts";
import { adopted, engineOf, leadersOf, logPath, readerOf, report, scopeOf, targetScope, type Job, type StartJob } from "./activation-host.ts";
import { saveRecord } from "./activation-journal.ts";
import { gpuBaseline, waitForMemory } from "./activation-memory.ts";
import type { Ready } from "./activation-preflight.ts";
import type { Started } from "./activation-prove.ts";

/** What is there before a switch. */
export type Seen = Extract<ActivationObservation, { state: "observed" }>;

/** Requests get so long to finish by themselves before the server is told to stop. */
const drainTime: Milliseconds = 15_000;
const drainPause = 250;
/** A server that serves nothing yet has nothing to finish; vLLM ignores signals while it loads. */
const unreadyPatience: Milliseconds = 6_000;
const keptTimings = 50;

/** Lets running requests finish, for a bounded time. May be cancelled: nothing has changed yet. */
export async function drain(job: Job, { record, ours }: Pick<Seen, "record" | "ours">): Promise<void> {
  if (record.committed === undefined || !leaderLives(record.committed, ours)) return;
  const engine = engineOf(job);
  const end = performance.now() + Math.min(drainTime, job.place.stopTimeout / 2);
  for (;;) {
    const running = await engine.inFlight(job.signal);
    if (running === undefined || running === 0) return;
    report(job, `draining, ${running} ${running === 1 ? "request" : "requests"}`);
    if (performance.now() >= end) return;
    await job.host.clock.sleep(drainPause, job.signal);
  }
}

/** Stops every server of ours on this backend, and strangers where the backend adopts them; waits until processes and GPU memory are gone. */
export async function stopAll(job: Job, { record, ours }: Pick<Seen, "record" | "ours">, strangers: readonly ProcessFacts[]): Promise<void> {
  report(job, "stopping");
  const { processes, paths } = job.host;
  const serves = record.committed !== undefined && leaderLives(record.committed, ours);
  const timeout = serves ? job.place.stopTimeout : Math.min(job.place.stopTimeout, unreadyPatience);
  const left = await processes.stop({ set: { kind: "marked", scope: scopeOf(paths, job.place.backend), leaders: leadersOf(record) }, timeout });
  const others = strangers.length === 0 ? [] : await processes.stop({ set: { kind: "trees", roots: strangers }, timeout: job.place.stopTimeout });
  const [stuck] = [...left, ...others];
  if (stuck !== undefined) {
    throw failed(
      "unexpected",
      `pid ${stuck.pid} (${stuck.command.join(" ").slice(0, 120)}) cannot be stopped, not even by SIGKILL: it belongs to another user or hangs in a driver`,
      { remedy: "stop it by hand; where a GPU driver hangs, only a restart of the machine helps" },
    );
  }
  await waitForMemory(job, record.committed?.gpuBaseline);
}

/** Stops one instance that did not become what it should. */
export async function stopInstance(job: Job, started: Pick<Started, "instance" | "leader">): Promise<void> {
  report(job, "stopping");
  await job.host.processes.stop({
    set: { kind: "marked", scope: scopeOf(job.host.paths, job.place.backend), leaders: [started.leader] },
    timeout: Math.min(job.place.stopTimeout, unreadyPatience),
  });
}

/** Stops what an interrupted switch left behind, and nothing of the server that serves. */
export async function stopStrays(job: Job, { committed }: ActivationRecord): Promise<void> {
  const except = committed === undefined ? {} : { except: committed.instance };
  await job.host.processes.stop({
    set: { kind: "marked", scope: scopeOf(job.host.paths, job.place.backend), leaders: [], ...except },
    timeout: Math.min(job.place.stopTimeout, unreadyPatience),
  });
}

/** Remembers a stranger's server before it is stopped, so that it can be put back. */
export async function rememberStranger(job: StartJob, record: ActivationRecord, [first]: readonly ProcessFacts[]): Promise<ActivationRecord> {
  if (first === undefined || record.committed !== undefined) return record;
  const seen = await readerOf(job).observe(job.signal);
  const served = seen.state === "serving" && seen.healthy ? seen.models[0] : undefined;
  if (served === undefined || first.command.length === 0) return record;
  const identity = { model: served.id, content: "adopted", argv: first.command, env: {} };
  const target: ServingTarget = {
    ...identity,
    servedId: served.id,
    ...(served.root === undefined ? {} : { root: served.root }),
    files: [],
    digest: sha256(canonicalJson(identity)),
  };
  const { pid, started } = first;
  return {
    ...record,
    committed: {
      target,
      instance: adopted,
      leader: { pid, started },
      port: job.place.port,
      log: "",
      spawnedAt: first.startedAt,
      committedAt: job.host.clock.now(),
    },
  };
}

/** Starts a target; the record says so before and after, so that the process is found again whenever this one ends. */
export async function start(
  job: StartJob,
  record: ActivationRecord,
  { target, program }: Ready,
  purpose: "switch" | "restore",
): Promise<{ readonly record: ActivationRecord; readonly started: Started }> {
  const { host, place } = job;
  const baseline = await gpuBaseline(job);
  const base = {
    purpose,
    since: record.pending?.since ?? host.clock.now(),
    target,
    instance: host.processes.newInstance(targetScope(host.paths, place.backend, target)),
    log: logPath(host.paths, job.type, target.model),
    ...(baseline === undefined ? {} : { gpuBaseline: baseline }),
  };
  const announced = await saveRecord(job, { ...record, pending: { phase: "starting", ...base } });
  const { leader, at } = await host.processes.start({
    program,
    args: target.argv.slice(1),
    env: { ...engineDefaults(job.type), ...target.env },
    folder: host.paths.root,
    instance: base.instance,
    log: base.log,
  });
  const pending: Transaction = { phase: "loading", ...base, leader, spawnedAt: at };
  return { record: await saveRecord(job, { ...announced, pending }), started: startedOf(pending, place.port) };
}

function startedOf(
  { target, instance, leader, log, spawnedAt, gpuBaseline: baseline }: Extract<Transaction, { phase: "loading" }>,
  port: number,
): Started {
  return { target, instance, leader, port, log, spawnedAt, ...(baseline === undefined ? {} : { gpuBaseline: baseline }) };
}

/** The start that an earlier process began and did not see through, if it is of this target and still runs. */
export function resumable({ record, ours }: Pick<Seen, "record" | "ours">, target: ServingTarget, port: number): Started | undefined {
  const { pending } = record;
  if (pending === undefined || pending.phase === "stopping" || !sameTarget(pending.target, target)) return undefined;
  if (pending.phase === "loading") return ours.some((own) => sameProcess(own, pending.leader)) ? startedOf(pending, port) : undefined;
  const leader = ours.find((own) => own.instance === pending.instance && own.session === own.pid);
  if (leader === undefined) return undefined;
  const { pid, started, startedAt } = leader;
  return startedOf({ ...pending, phase: "loading", leader: { pid, started }, spawnedAt: startedAt }, port);
}

/** The record with the server of a target that still runs though its record was lost. */
export function withLostServer({ host, place, type }: StartJob, { record, ours }: Seen, target: ServingTarget): ActivationRecord {
  if (record.committed !== undefined || record.pending !== undefined) return record;
  const scope = targetScope(host.paths, place.backend, target);
  const found = ours.find(({ instance, session, pid }) => instance?.startsWith(`${scope}.`) === true && session === pid);
  if (found?.instance === undefined) return record;
  const { pid, started, startedAt, instance } = found;
  return {
    ...record,
    committed: {
      target,
      instance,
      leader: { pid, started },
      port: place.port,
      log: logPath(host.paths, type, target.model),
      spawnedAt: startedAt,
      committedAt: host.clock.now(),
    },
  };
}

/** What the record says of a switch that is through. */
export type Verdict = Pick<ActiveCondition, "status" | "reason" | "message">;

/** Makes a proven server the one that counts: first the state file for other programs, then the record, which ends the transaction. */
export async function commit(job: StartJob, record: ActivationRecord, started: Started, verdict: Verdict): Promise<Activated> {
  const now = job.host.clock.now();
  const { target, spawnedAt } = started;
  const timing = { model: target.model, start: since(spawnedAt, now), withoutService: since(record.pending?.since ?? now, now) };
  const again = record.committed !== undefined && sameTarget(record.committed.target, target);
  const kept = again ? record : withoutFailures(record, target);
  const timings = [...record.timings.filter((known) => known.model !== target.model), timing].slice(-keptTimings);
  const activated: Activated = { ...started, committedAt: now };
  await settle(job, { ...kept, committed: activated, timings }, verdict);
  return activated;
}

/** Ends a transaction in favour of what is committed. */
export async function settle(job: StartJob, record: ActivationRecord, verdict: Verdict): Promise<void> {
  const { pending: _, ...rest } = record;
  const { stateFile } = job.place;
  if (stateFile !== undefined && rest.committed !== undefined)
    await job.host.files.write(stateFile, encodeActiveState(activeStateOf(rest.committed)), "shared");
  await saveRecord(job, { ...rest, condition: { ...verdict, at: job.host.clock.now() } });
}

function since(earlier: string, later: string): Milliseconds {
  return Math.max(0, Date.parse(later) - Date.parse(earlier));
}
