import { randomUUID } from "node:crypto";
import { networkInterfaces } from "node:os";
import type { ProcessFacts, ProcessIdentity } from "../../domain/activation/activation.ts";
import type { EngineProcesses, ProcessSet } from "../../ports/process.ts";
import { openPortTable } from "./port-holders.ts";
import { lockPort } from "./port-lock.ts";
import { openProcTable, type ProcTable } from "./proc-table.ts";
import { resolveProgram } from "./program.ts";
import { startProgram, type StartedProgram } from "./start-program.ts";
import { stopProcesses, type Membership } from "./stop-processes.ts";

/** What engines may see of the environment of this process is decided by an allow-list; PATH finds their programs. */
export interface EngineProcessesOptions {
  readonly env: NodeJS.ProcessEnv;
}

/** Starts, finds and stops engines on this Linux machine. */
export function createEngineProcesses({ env }: EngineProcessesOptions): EngineProcesses {
  let opened: ProcTable | undefined;
  const table = (): ProcTable => (opened ??= openProcTable());
  const children = new Map<string, StartedProgram>();
  const holders = openPortTable();
  return {
    newInstance: (scope) => `${scope}.${randomUUID()}`,
    resolveProgram: async (command, folder) => resolveProgram(command, folder, env["PATH"]),
    start: async (request) => {
      const child = await startProgram(request, env);
      // A program that has ended already is gone from the table: nothing can be mistaken for it.
      const leader = { pid: child.pid, started: table().identify(child.pid) ?? `ended:${request.instance}` };
      children.set(keyOf(leader), child);
      return { leader, at: table().look(child.pid)?.startedAt ?? new Date().toISOString() };
    },
    all: () => table().all(),
    find: (set, among) => membership(table(), set).find(among),
    isAlive: ({ pid, started }) => table().identify(pid) === started,
    exitOf: async (leader) => children.get(keyOf(leader))?.exit(),
    look: (pid) => table().look(pid),
    stop: (request) => stopProcesses(table(), membership(table(), request.set), request.timeout),
    holdersOf: (port, among) => holders(port, among ?? table().all()),
    isLocal,
    lockPort,
  };
}

function keyOf({ pid, started }: ProcessIdentity): string {
  return `${pid} ${started}`;
}

function membership(table: ProcTable, set: ProcessSet): Membership {
  return set.kind === "marked" ? markedMembers(table, set) : treeMembers(table, set);
}

function markedMembers(table: ProcTable, { scope, leaders, except }: Extract<ProcessSet, { kind: "marked" }>): Membership {
  const isMarked = ({ instance }: ProcessFacts): boolean => instance !== undefined && instance.startsWith(`${scope}.`) && instance !== except;
  return {
    find: (among, known = []) => {
      const all = [...leaders, ...known];
      const isMember = (candidate: ProcessFacts): boolean => isMarked(candidate) || all.some((leader) => isInSession(table, candidate, leader));
      return (among ?? table.all()).filter((candidate) => candidate.pid !== process.pid && isMember(candidate));
    },
    leads: (member) => member.session === member.pid,
  };
}

/**
 * Programs can overwrite their environment, and the marker in it, with a title. They stay in the session that their leader opened; its number cannot be
 * given to anything else while they live.
 */
function isInSession(table: ProcTable, candidate: ProcessFacts, leader: ProcessIdentity): boolean {
  if (candidate.session !== leader.pid) return false;
  const alive = table.identify(leader.pid);
  if (alive !== undefined) return alive === leader.started;
  return (
    candidate.instance === undefined &&
    startTicks(candidate.started) >= startTicks(leader.started) &&
    bootOf(candidate.started) === bootOf(leader.started)
  );
}

function startTicks(started: string): number {
  return Number(started.slice(started.lastIndexOf(":") + 1));
}

function bootOf(started: string): string {
  return started.slice(0, started.lastIndexOf(":"));
}

function treeMembers(table: ProcTable, { roots }: Extract<ProcessSet, { kind: "trees" }>): Membership {
  return {
    find: (among) => {
      const all = among ?? table.all();
      const found = all.filter((candidate) => roots.some((root) => root.pid === candidate.pid && root.started === candidate.started));
      for (const member of found) found.push(...all.filter((candidate) => candidate.parent === member.pid && !found.includes(candidate)));
      return found;
    },
    leads: (member) => roots.some((root) => root.pid === member.pid),
  };
}

function isLocal(host: string): boolean {
  if (host === "localhost" || host === "0.0.0.0" || host === "::" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === host));
}
