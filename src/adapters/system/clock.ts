import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";

/** The real time of this machine. */
export function createClock(): Clock {
  return {
    now: () => new Date().toISOString(),
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
