import type { Memory, MemoryChange } from "./inventory.ts";
import type { Instant, Milliseconds } from "./resource.ts";

/** The clock on the wall beside one that nobody can set. */
export interface ClockReading {
  readonly wall: Instant;
  /** Which start of the machine the steady time counts from. */
  readonly epoch: string;
  readonly steadyMs: Milliseconds;
}

/** Clocks that are kept by a time service drift by less than this between two passes. */
const tolerated: Milliseconds = 5 * 60_000;

/** By how much the clock was set between two readings: positive = forward; 0 when it was not, or when the machine was started in between. */
export function clockJump(before: ClockReading | undefined, now: ClockReading): Milliseconds {
  if (before === undefined || before.epoch !== now.epoch) return 0;
  const jump = Date.parse(now.wall) - Date.parse(before.wall) - (now.steadyMs - before.steadyMs);
  return Number.isFinite(jump) && Math.abs(jump) > tolerated ? jump : 0;
}

/** Grace periods that go on as if the clock had not been set: what was deprecated a minute ago is a minute old still. */
export function shiftGrace({ deprecations }: Pick<Memory, "deprecations">, jump: Milliseconds): readonly MemoryChange[] {
  return deprecations.map((deprecation): MemoryChange => ({
    kind: "deprecate",
    deprecation: { ...deprecation, since: new Date(Date.parse(deprecation.since) + jump).toISOString() },
  }));
}
