import { setTimeout as sleep } from "node:timers/promises";
import { HoldfastError } from "../../domain/failure.ts";

/** The pause that a server asked for, as the cause of a failure. */
export class AskedWait {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

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
export async function withRetry<T>(operation: () => Promise<T>, options: RetryOptions, signal: AbortSignal, progressed = never): Promise<T> {
  let nextDelay: (() => number) | undefined;
  let left = options.retries;
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      signal.throwIfAborted();
      if (progressed()) left = options.retries;
      const asked = askedWait(error);
      if (left === 0 || asked === undefined || asked > options.longestWaitMs) throw error;
      left -= 1;
      nextDelay ??= await delays(options);
      await pause(asked || nextDelay(), signal);
    }
  }
}

function never(): boolean {
  return false;
}

/** Milliseconds that a transient failure asks to wait, 0 when it does not say; undefined for one that a repetition cannot mend. */
function askedWait(error: unknown): number | undefined {
  if (!(error instanceof HoldfastError) || error.failure.retry === "terminal") return undefined;
  return error.cause instanceof AskedWait ? error.cause.ms : 0;
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
