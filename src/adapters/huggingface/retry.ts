import { setTimeout as sleep } from "node:timers/promises";
import { HoldfastError } from "../../domain/failure.ts";

export interface RetryOptions {
  /** Attempts after the first; counted anew when an attempt moved things on. */
  readonly retries: number;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** A server that asks for a longer pause is not waited for. */
  readonly longestWaitMs: number;
}

export const metadataRetry: RetryOptions = { retries: 4, initialDelayMs: 500, maxDelayMs: 8000, longestWaitMs: 10_000 };
export const downloadRetry: RetryOptions = { retries: 5, initialDelayMs: 500, maxDelayMs: 8000, longestWaitMs: 310_000 };

/** Repeats after transient failures; `progressed` says whether the attempt that just failed moved things on. Every pause ends with the signal. */
export async function withRetry<T>(operation: () => Promise<T>, options: RetryOptions, signal: AbortSignal, progressed = (): boolean => false): Promise<T> {
  let nextDelay: (() => number) | undefined;
  let left = options.retries;
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      signal.throwIfAborted();
      if (progressed()) left = options.retries;
      const asked = askedWait(error) ?? 0;
      if (!isTransient(error) || left === 0 || asked > options.longestWaitMs) throw error;
      left -= 1;
      nextDelay ??= await delays(options);
      await pause(asked > 0 ? asked : nextDelay(), signal);
    }
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof HoldfastError && error.failure.retry === "transient";
}

function askedWait(error: unknown): number | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "waitMs" in cause && typeof cause.waitMs === "number" ? cause.waitMs : undefined;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Cockatiel gives the jittered delays; its own retry policy sits out its pauses even when it was aborted. */
async function delays({ initialDelayMs, maxDelayMs }: RetryOptions): Promise<() => number> {
  const { ExponentialBackoff } = await import("cockatiel");
  let backoff = new ExponentialBackoff({ initialDelay: initialDelayMs, maxDelay: maxDelayMs }).next();
  return () => {
    const { duration } = backoff;
    backoff = backoff.next(undefined);
    return duration;
  };
}
