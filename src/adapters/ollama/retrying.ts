import { setTimeout as sleep } from "node:timers/promises";
import { HoldfastError } from "../../domain/failure.ts";

export interface RetryOptions {
  /** Tries in all. */
  readonly attempts: number;
  /** Wait before the second try; later waits grow, with jitter. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** What is worth another try; default: every passing reason. */
  readonly again?: (error: HoldfastError) => boolean;
}

export const defaultRetry: RetryOptions = { attempts: 4, initialDelayMs: 2_000, maxDelayMs: 60_000 };

/** Repeats what failed for a passing reason. `onRetry` hears what failed and how long the wait is. */
export async function retrying<T>(
  attempt: () => Promise<T>,
  options: RetryOptions,
  onRetry: (error: HoldfastError, delayMs: number) => void,
  signal: AbortSignal,
): Promise<T> {
  const { ExponentialBackoff } = await import("cockatiel");
  let backoff = new ExponentialBackoff({ initialDelay: options.initialDelayMs, maxDelay: options.maxDelayMs }).next();
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError) || !(options.again ?? isPassing)(error) || tries >= options.attempts) throw error;
      onRetry(error, backoff.duration);
    }
    // The library's own retry policy sleeps through an abort; its delays are what we need of it.
    await sleep(backoff.duration, undefined, { signal });
    backoff = backoff.next(undefined);
  }
}

function isPassing(error: HoldfastError): boolean {
  return error.failure.retry === "transient";
}
