import type { ProgressSink } from "../../ports/progress.ts";

export interface Metered {
  readonly id: string;
  readonly phase: string;
  /** Bytes. */
  readonly total: number;
  readonly progress: ProgressSink;
}

export interface Meter {
  /** Counts bytes; negative when something is fetched again. */
  readonly add: (change: number) => void;
  report(): void;
}

const everyMs = 250;

/** Sums bytes and tells about it a few times a second. */
export function createMeter({ id, phase, total, progress }: Metered, start: number): Meter {
  let done = start;
  let last = 0;
  const report = (): void => progress({ type: "progress", id, phase, done, total });
  return {
    report,
    add(change) {
      done += change;
      const now = performance.now();
      if (now - last < everyMs) return;
      last = now;
      report();
    },
  };
}
