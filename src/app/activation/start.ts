import { engineDefaults } from "../../domain/activation/environment.ts";
import { withoutFailures } from "../../domain/activation/attempts.ts";
import {
  sameProcess,
  sameTarget,
  type Activated,
  type ActivationRecord,
  type ActiveCondition,
  type ServingTarget,
  type SwitchTiming,
  type Transaction,
  type TransactionPurpose,
} from "../../domain/activation/activation.ts";
import { activeStateOf, encodeActiveState } from "../../domain/activation/active-state.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import { logPath, targetScope, type Seen, type StartJob } from "./activation-host.ts";
import { saveRecord } from "./journal.ts";
import { gpuBaseline } from "./memory.ts";
import type { Ready } from "./preflight.ts";
import type { Started } from "./prove.ts";

/** Why something is started. */
export type Purpose = Exclude<TransactionPurpose, "stop">;

const keptTimings = 50;

/** A start that is on its way, or why the program could not even be run. */
export type Launch = { readonly record: ActivationRecord } & ({ readonly started: Started } | { readonly refusal: unknown; readonly log: string });

/** Starts a target; the record says so before and after, so that the process is found again whenever this one ends. */
export async function launch(job: StartJob, record: ActivationRecord, { target, program }: Ready, purpose: Purpose): Promise<Launch> {
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
  const env = { ...engineDefaults(job.type), ...job.secrets, ...target.env };
  const request = { program, args: target.argv.slice(1), env, folder: host.paths.root, instance: base.instance, log: base.log };
  const begun = await host.processes.start(request).catch((error: unknown) => ({ refusal: error }));
  if ("refusal" in begun) return { record: announced, refusal: begun.refusal, log: base.log };
  const pending: Loading = { phase: "loading", ...base, leader: begun.leader, spawnedAt: begun.at };
  return { record: await saveRecord(job, { ...announced, pending }), started: startedOf(pending, place.port) };
}

type Loading = Extract<Transaction, { phase: "loading" }>;

function startedOf({ target, instance, leader, log, spawnedAt, gpuBaseline: baseline }: Loading, port: number): Started {
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

/** A switch that is through, and what it cost. */
export interface Switched {
  readonly activated: Activated;
  readonly timing: SwitchTiming;
}

/** What the record says of a switch that is through. */
export type Verdict = Pick<ActiveCondition, "status" | "reason" | "message">;

/** Makes a proven server the one that counts: first the state file for other programs, then the record, which ends the transaction. */
export async function commit(job: StartJob, record: ActivationRecord, started: Started, verdict: Verdict): Promise<Switched> {
  const now = job.host.clock.now();
  const { target, spawnedAt } = started;
  const timing = { model: target.model, start: since(spawnedAt, now), withoutService: since(record.pending?.since ?? now, now) };
  const again = record.committed !== undefined && sameTarget(record.committed.target, target);
  const kept = again ? record : withoutFailures(record, target);
  const timings = [...record.timings.filter((known) => known.model !== target.model), timing].slice(-keptTimings);
  const activated: Activated = { ...started, committedAt: now };
  await settle(job, { ...kept, committed: activated, timings }, verdict);
  return { activated, timing };
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
