import {
  leaderLives,
  type ActivationRecord,
  type ProcessFacts,
  type ProcessIdentity,
  type ServingTarget,
} from "../../domain/activation/activation.ts";
import { failed } from "../../domain/failure.ts";
import { canonicalJson } from "../../domain/json.ts";
import { sha256 } from "../../domain/digest.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import { adopted, engineOf, leadersOf, readerOf, report, scopeOf, type Job, type Seen, type StartJob } from "./activation-host.ts";
import { waitForMemory } from "./memory.ts";

/** Requests get so long to finish by themselves before the server is told to stop. */
const drainTime: Milliseconds = 15_000;
const drainPause = 250;
/** A server that serves nothing yet has nothing to finish; vLLM ignores signals while it loads. */
const unreadyPatience: Milliseconds = 6_000;

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
  if (ours.length > 0 || strangers.length > 0) report(job, "stopping");
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

/** Stops a server that did not become what it should. Nothing else of ours runs on the backend then. */
export async function stopFailed(job: Job, leader: ProcessIdentity | undefined): Promise<void> {
  await job.host.processes.stop({
    set: { kind: "marked", scope: scopeOf(job.host.paths, job.place.backend), leaders: leader === undefined ? [] : [leader] },
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
