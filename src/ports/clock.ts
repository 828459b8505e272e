import type { Instant, Milliseconds } from "../domain/resource.ts";

/** Time as the use cases see it; tests pass their own. */
export interface Clock {
  now(): Instant;
  /** Waits, or rejects with the signal's reason. */
  sleep(ms: Milliseconds, signal: AbortSignal): Promise<void>;
}
