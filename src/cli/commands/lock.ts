import { lockModels, unlockModels, type LockResult } from "../../app/lock.ts";
import { refreshLocks } from "../../app/registry/refresh-locks.ts";
import { exitCodes } from "../../app/exit-code.ts";
import type { Host } from "../../app/host.ts";
import { plainText } from "../../report/escape.ts";
import { exclusively } from "../exclusively.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import { withSession, type CommonOptions, type Session } from "../session.ts";
import { requireKnown, requireModels } from "./require-models.ts";

type DryRun = { readonly dryRun?: boolean };
type LockFlags = CommonOptions & DryRun & { readonly update?: boolean; readonly force?: boolean; readonly setExpected?: boolean };

/** `holdfast lock`: pins the exact bytes. A lock that does not fit the manifests is no reason to refuse: this command mends it. */
export async function lock(outer: Session, options: LockFlags, names: readonly string[]): Promise<number> {
  return withSession({ ...options, locked: false }, outer.signal, async (session) => {
    const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
    const write = options.dryRun !== true;
    const host = await session.host(write ? "write" : "read");
    const force = options.force === true || options.setExpected === true;
    const results = await lockedWhere(write, host, "lock", async () => {
      const project = await session.project(host);
      requireModels(project.desired, names);
      const how = { names, update: options.update ?? false, force, write, progress: await session.progress() };
      const locked = await lockModels(host, project, how, session.signal);
      if (write) await refreshLocks(host, session.signal);
      return locked;
    });
    return showLock(session, results, { outputs, write });
  });
}

/** `holdfast unlock`: takes models out of the lock. */
export async function unlock(outer: Session, options: CommonOptions & DryRun, names: readonly string[]): Promise<number> {
  return withSession({ ...options, locked: false }, outer.signal, async (session) => {
    const write = options.dryRun !== true;
    const host = await session.host(write ? "write" : "read");
    const results = await lockedWhere(write, host, "unlock", async () => {
      const project = await session.project(host);
      requireKnown(names, [...project.desired.models.map((model) => model.metadata.name), ...project.lock.entries.map((entry) => entry.name)]);
      const unlocked = await unlockModels(host, project, { names, write });
      if (write) await refreshLocks(host, session.signal);
      return unlocked;
    });
    return showLock(session, results, { outputs: decodeOutputs(options.output ?? [], ["json"] as const), write });
  });
}

/** The lock file is read and written by one process at a time, so that no entry is lost; who only looks waits for nobody. */
function lockedWhere<T>(write: boolean, host: Host, operation: string, run: () => Promise<T>): Promise<T> {
  return write ? exclusively(host, operation, run) : run();
}

interface Shown {
  readonly outputs: ReturnType<typeof decodeOutputs<"json">>;
  readonly write: boolean;
}

function showLock(session: Session, results: readonly LockResult[], { outputs, write }: Shown): number {
  const refused = results.filter((result) => result.state === "refused");
  const exitCode = refused.length > 0 ? exitCodes.drift : exitCodes.done;
  writeOutputs(outputs, {
    text: () => `${results.map((result) => lineOf(result, session)).join("")}${sentenceOf(results)}${write ? "" : "Nothing was written.\n"}`,
    json: () => jsonAnswer("LockResult", { exitCode, applied: write, models: results }),
  });
  return exitCode;
}

function lineOf(result: LockResult, session: Session): string {
  const tone = result.state === "refused" ? "error" : result.state === "unchanged" ? "quiet" : "good";
  const lines = [`${session.paint(tone, result.state.padEnd(9))} ${plainText(result.name)}  ${plainText(result.detail)}`];
  if (result.before !== undefined && result.before !== result.after) lines.push(`          was ${result.before}`);
  if (result.after !== undefined && result.state !== "unchanged")
    lines.push(`          ${result.state === "refused" ? "here" : "now"} ${result.after}`);
  if (result.remedy !== undefined) lines.push(`          next: ${plainText(result.remedy)}`);
  return `${lines.join("\n")}\n`;
}

function sentenceOf(results: readonly LockResult[]): string {
  const count = (state: LockResult["state"]): number => results.filter((result) => result.state === state).length;
  return `Lock: ${count("locked")} added, ${count("updated")} updated, ${count("unlocked")} removed, ${count("unchanged")} unchanged, ${count("refused")} refused.\n`;
}
