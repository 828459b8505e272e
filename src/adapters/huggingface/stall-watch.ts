import { failed } from "../../domain/failure.ts";

/** Fewer bytes than this within the window count as silence. */
const leastBytes = 1024;

export interface StallWatch {
  /** Ends when the caller's signal does, or with a `stalled` failure. */
  readonly signal: AbortSignal;
  stop(): void;
}

/** Watches a transfer that may hang with its connection open: too few bytes within the window end it. */
export function watchForStall(outer: AbortSignal, windowMs: number, position: () => number, onStall: () => string): StallWatch {
  const silence = new AbortController();
  let before = position();
  const timer = setInterval(() => {
    const now = position();
    if (now - before < leastBytes) silence.abort(failed("stalled", onStall(), { retry: "transient" }));
    before = now;
  }, windowMs);
  return { signal: AbortSignal.any([outer, silence.signal]), stop: () => clearInterval(timer) };
}
