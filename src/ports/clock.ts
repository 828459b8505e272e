import type { Instant, Milliseconds } from "../domain/resource.ts";

/** Time as the use cases see it; tests pass their own. */
export interface Clock {
  now(): Instant;
  /** Time since the start of the machine that `epoch` names, suspension included, which nobody can set; undefined where the system has none. */
  steady?(): { readonly epoch: string; readonly ms: Milliseconds } | undefined;
  /** Waits, or rejects with the signal's reason. */
  sleep(ms: Milliseconds, signal: AbortSignal): Promise<void>;
}
