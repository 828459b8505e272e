import { clockJump, shiftGrace, type ClockReading } from "../domain/clock-jump.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Host } from "./host.ts";

const minute = 60_000;

/**
 * Notices that the clock was set since the last pass, and moves the beginnings of grace periods along, so that a wrong clock purges nothing early. To
 * be called under the instance lock, before looking.
 */
export async function settleClock({ clock, state }: Pick<Host, "clock" | "state">): Promise<readonly Diagnostic[]> {
  const steady = clock.steady?.();
  if (steady === undefined) return [];
  const now: ClockReading = { wall: clock.now(), epoch: steady.epoch, steadyMs: steady.ms };
  const before = readingIn((await state.remembered("clock", ["last"])).get("last"));
  const jump = clockJump(before, now);
  const shifts = jump === 0 ? [] : shiftGrace(await state.load(), jump);
  const remember = (): Promise<void> => state.remember("clock", new Map([["last", JSON.stringify(now)]]));
  // Killed in between, the jump is counted twice or not at all: in the order that makes grace periods longer.
  if (jump < 0) await remember();
  if (shifts.length > 0) await state.commit(shifts);
  if (jump >= 0) await remember();
  return jump === 0 ? [] : [warning(jump)];
}

function readingIn(text: string | undefined): ClockReading | undefined {
  const { wall, epoch, steadyMs } = membersIn(text);
  return typeof wall === "string" && typeof epoch === "string" && typeof steadyMs === "number" ? { wall, epoch, steadyMs } : undefined;
}

function membersIn(text = "{}"): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function warning(jump: number): Diagnostic {
  const minutes = Math.round(Math.abs(jump) / minute);
  const message = `ClockJump: the clock was set ${jump > 0 ? "forward" : "back"} by ${minutes} minutes since the last pass; grace periods go on as if it had not been`;
  return { severity: "warning", code: "clock.jump", message, remedy: "make sure that the time of this machine is right" };
}
