import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";

/** The real time of this machine. */
export function createClock(): Clock {
  return {
    now: () => new Date().toISOString(),
    steady() {
      const epoch = bootId();
      return epoch === undefined ? undefined : { epoch, ms: Math.round(uptime() * 1000) };
    },
    async sleep(ms, signal) {
      signal.throwIfAborted();
      try {
        await wait(ms, undefined, { signal });
      } catch (error) {
        // The timer rejects with an AbortError of its own; callers compare with the reason they gave.
        signal.throwIfAborted();
        throw error;
      }
    },
  };
}

/** Only Linux says which start of the machine this is and counts its time apart from the clock, suspension included. */
function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
