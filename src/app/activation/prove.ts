import type { Activated, ServingTarget } from "../../domain/activation/activation.ts";
import { phaseOfLog } from "../../domain/activation/log.ts";
import { identityProblem } from "../../domain/activation/standing.ts";
import { failed } from "../../domain/failure.ts";
import type { ServingObservation } from "../../domain/observed.ts";
import type { ProcessExit } from "../../ports/process.ts";
import { engineOf, readerOf, report, scopeOf, type StartJob } from "./activation-host.ts";

const firstPause = 25;
const longestPause = 100;
const smokePatience = 120_000;
/** As much of the end of a log as is looked at for the phase. */
const phaseBytes = 4096;
/** The log is read less often than the port is asked. */
const phaseEvery = 500;

/** A server on its way up. */
export type Started = Omit<Activated, "committedAt">;

type Serving = Extract<ServingObservation, { state: "serving" }>;

/** Waits until a started server is healthy, serves what it was started for, and answers. Throws HoldfastError as soon as it cannot become so. */
export async function prove(job: StartJob, started: Started): Promise<void> {
  const serving = await untilHealthy(job, started);
  checkIdentity(job, started.target, serving);
  checkListener(job, started);
  if (job.smokeTest) {
    report(job, "one-token test");
    await whileAlive(job, started, engineOf(job).generateOne(started.target.servedId, smokePatience, job.signal));
  }
  if (job.probe !== undefined) {
    report(job, "vision probe");
    await whileAlive(job, started, job.probe({ url: job.url, servedId: started.target.servedId }, job.signal));
  }
  await checkAlive(job, started);
}

/** True when a server that was proven before still serves what it was started for. */
export async function servesStill(job: StartJob, target: ServingTarget): Promise<boolean> {
  const seen = await readerOf(job).observe(job.signal);
  return seen.state === "serving" && seen.healthy && identityProblem(target, seen) === undefined;
}

async function untilHealthy(job: StartJob, started: Started): Promise<Serving> {
  const reader = readerOf(job);
  const begin = performance.now();
  const age = Math.max(0, Date.parse(job.host.clock.now()) - Date.parse(started.spawnedAt));
  const budget = Math.max(job.startTimeout - age, Math.min(job.startTimeout, smokePatience) / 10);
  let pause = firstPause;
  let read = Number.NEGATIVE_INFINITY;
  let last: ServingObservation = { state: "down", backend: job.place.backend };
  report(job, "starting");
  for (;;) {
    await checkAlive(job, started);
    last = await reader.observe(job.signal);
    if (last.state === "serving" && last.healthy) return last;
    const now = performance.now();
    if (now - begin > budget)
      throw failed("timeout", `it was not healthy after ${Math.round(job.startTimeout / 1000)} s (${lastWord(last)})`, {
        remedy: "raise activation.startTimeout",
      });
    if (now - read > phaseEvery) {
      read = now;
      const phase = phaseOfLog(await job.host.files.tail(started.log, phaseBytes));
      if (phase !== undefined) report(job, phase);
    }
    await job.host.clock.sleep(pause, job.signal);
    pause = Math.min(longestPause, pause * 1.1);
  }
}

function lastWord(seen: ServingObservation): string {
  if (seen.state === "down") return "nothing listens";
  return seen.state === "unknown" ? seen.failure.message : "it says that it is not healthy";
}

async function checkAlive({ host }: StartJob, { leader }: Started): Promise<void> {
  if (!host.processes.isAlive(leader)) throw failed("upstream", exitWords(await host.processes.exitOf(leader)));
}

/** Any end that nobody asked for is a failure: vLLM ends with code 0 when its engine dies. */
function exitWords(exit: ProcessExit | undefined): string {
  if (exit?.signal !== undefined) return `it was ended by ${exit.signal}`;
  return exit?.code === undefined ? "it ended" : `it ended with code ${exit.code}`;
}

/** Prefers the end of the server to the broken connection that it causes. */
async function whileAlive<T>(job: StartJob, started: Started, asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (!job.signal.aborted) await checkAlive(job, started);
    throw error;
  }
}

function checkIdentity({ url }: StartJob, target: ServingTarget, serving: Serving): void {
  const problem = identityProblem(target, serving);
  if (problem !== undefined) throw failed("integrity", `${url} ${problem}`);
}

/** The answers must come from the server that was started, not from somebody else who has the port. */
function checkListener({ host, place }: StartJob, started: Started): void {
  const ours = host.processes.find({ kind: "marked", scope: scopeOf(host.paths, place.backend), leaders: [started.leader] });
  const { listeners } = host.processes.holdersOf(place.port);
  const stranger = listeners.find((listener) => !ours.some((own) => own.pid === listener.pid));
  if (stranger === undefined) return;
  throw failed("conflict", `port ${place.port} is answered by pid ${stranger.pid} (${stranger.command.join(" ").slice(0, 120)})`);
}
