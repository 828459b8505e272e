import { setTimeout as wait } from "node:timers/promises";
import { sameProcess, type ProcessFacts } from "../../domain/activation/activation.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import type { ProcTable } from "./proc-table.ts";

/** How long killed processes may take to be gone: the kernel has their memory to free. */
const burialTime = 15_000;
const pause = 20;
/** A full look at all processes costs more than asking for known ones. */
const sweepEvery = 10;
/** For processes whose leader is gone: nothing is left that they could finish. */
const orphanPatience = 2_000;

/** A set of processes as it is now, and which of them know how to end the rest. */
export interface Membership {
  /** `known` are members seen earlier: whoever is in a session of theirs belongs to the set, though its environment may not be readable (yet). */
  find(among?: readonly ProcessFacts[], known?: readonly ProcessFacts[]): readonly ProcessFacts[];
  leads(member: ProcessFacts): boolean;
}

/**
 * Stops a set of processes; whoever joins it meanwhile is stopped too. Returns what lives on. Signals go to single processes whose identity was just
 * checked, never to a group number, which may be another group's by now.
 */
export async function stopProcesses(table: ProcTable, set: Membership, timeout: Milliseconds): Promise<readonly ProcessFacts[]> {
  const crowd = new Crowd(table, set);
  if (crowd.isGone()) return [];
  const leaders = crowd.members.filter((member) => set.leads(member));
  if (leaders.length > 0) {
    crowd.signal("SIGTERM", leaders);
    if (await crowd.vanishes(timeout / 2)) return [];
  }
  crowd.signal("SIGTERM");
  if (await crowd.vanishes(leaders.length > 0 ? timeout / 2 : Math.min(timeout, orphanPatience))) return [];
  crowd.signal("SIGKILL");
  await crowd.vanishes(burialTime, () => crowd.signal("SIGKILL"));
  return crowd.members;
}

/** Everything that was ever seen of a set and still lives. */
class Crowd {
  readonly #table: ProcTable;
  readonly #set: Membership;
  #leaders: readonly ProcessFacts[] = [];
  members: readonly ProcessFacts[] = [];

  constructor(table: ProcTable, set: Membership) {
    this.#table = table;
    this.#set = set;
    this.sweep();
  }

  sweep(): void {
    const found = this.#set.find(undefined, this.#leaders);
    const leaders = found.filter((member) => member.session === member.pid && !this.#leaders.some((leader) => sameProcess(leader, member)));
    this.#leaders = [...this.#leaders, ...leaders];
    this.members = [...this.alive().filter((member) => !found.some((other) => sameProcess(member, other))), ...found];
  }

  isGone(): boolean {
    this.members = this.alive();
    return this.members.length === 0;
  }

  alive(): readonly ProcessFacts[] {
    return this.members.filter((member) => this.#table.identify(member.pid) === member.started);
  }

  signal(name: "SIGTERM" | "SIGKILL", members = this.alive()): void {
    for (const { pid, started } of members) {
      if (this.#table.identify(pid) !== started) continue;
      try {
        process.kill(pid, name);
      } catch {
        // It ended in between, or belongs to another user: the look afterwards tells.
      }
    }
  }

  /** True as soon as nobody is left, also after a fresh look. */
  async vanishes(timeout: number, eachSweep: () => void = () => {}): Promise<boolean> {
    const end = performance.now() + timeout;
    for (let round = 1; ; round += 1) {
      if (this.isGone() || round % sweepEvery === 0) {
        this.sweep();
        if (this.members.length === 0) return true;
        if (round % sweepEvery === 0) eachSweep();
      }
      if (performance.now() >= end) return false;
      await wait(pause);
    }
  }
}
