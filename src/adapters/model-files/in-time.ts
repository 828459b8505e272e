import { failed } from "../../domain/failure.ts";

/**
 * Runs work that has so many milliseconds. On time-out or cancellation the caller goes on at once, even where a read hangs in the kernel (a dead
 * network file system); the work itself sees its signal at its next step.
 */
export async function inTime<Value>(
  what: string,
  timeoutMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  outer.throwIfAborted();
  const controller = new AbortController();
  const stopped = Promise.withResolvers<never>();
  const stop = (reason: unknown): void => {
    controller.abort(reason);
    stopped.reject(reason);
  };
  const cancel = (): void => stop(outer.reason);
  const timer = setTimeout(() => stop(failed("timeout", `${what}: not done after ${timeoutMs} ms`, { retry: "transient" })), timeoutMs);
  outer.addEventListener("abort", cancel, { once: true });
  const working = work(controller.signal);
  working.catch(() => undefined);
  try {
    return await Promise.race([working, stopped.promise]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", cancel);
  }
}
