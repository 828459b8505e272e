export type ResponseHeaders = Readonly<Record<string, string>>;

const longestWait = 3_600_000;

/**
 * Milliseconds that a 429 asks to wait. `RateLimit` is set on every answer, so its `t` counts only when nothing remains; `Retry-After` otherwise.
 * One second is added because both are whole seconds.
 */
export function rateLimitWait(headers: ResponseHeaders): number | undefined {
  const state = headers["ratelimit"];
  const remaining = numberAfter(state, "r");
  const reset = numberAfter(state, "t");
  if (remaining === 0 && reset !== undefined) return wait(reset);
  const after = headers["retry-after"]?.trim();
  return after !== undefined && /^\d{1,9}$/.test(after) ? wait(Number(after)) : undefined;
}

function numberAfter(state: string | undefined, key: string): number | undefined {
  const found = state === undefined ? null : new RegExp(`;\\s*${key}=(\\d{1,9})(?:\\s*;|\\s*$)`).exec(state);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

function wait(seconds: number): number {
  return Math.min(seconds * 1000 + 1000, longestWait);
}
