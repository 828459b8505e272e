/** Notices when a pull stops making progress. */
export interface StallWatch {
  /** Aborted when it did. */
  readonly signal: AbortSignal;
  /** Something happened that is not counted in bytes: the allowed silence from now on. */
  allow(ms: number): void;
  /** Bytes of one blob so far, as the server tells them. */
  see(digest: string, completed: number): void;
  end(): void;
}

/** How often a blob may fall back and climb again without getting further than ever before. */
const patience = 5;

interface Seen {
  last: number;
  most: number;
  fallbacks: number;
}

/**
 * A stalled download keeps repeating its last numbers for ever, so silence means nothing and growth everything (reference/ollama.md 2.5). Ollama
 * takes back what it counted when a part is fetched again: climbing after such a fall is progress too, but not for ever.
 */
export function watchForStall(stallTimeoutMs: number): StallWatch {
  const controller = new AbortController();
  const blobs = new Map<string, Seen>();
  let allowance = stallTimeoutMs;
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), allowance);
  };
  arm();
  return {
    signal: controller.signal,
    allow(ms) {
      allowance = Math.max(ms, stallTimeoutMs);
      arm();
    },
    see(digest, completed) {
      const seen = blobs.get(digest);
      if (seen === undefined) {
        blobs.set(digest, { last: completed, most: completed, fallbacks: 0 });
        arm();
        return;
      }
      if (hasGrown(seen, completed)) arm();
    },
    end() {
      clearTimeout(timer);
    },
  };
}

function hasGrown(seen: Seen, completed: number): boolean {
  const before = seen.last;
  seen.last = completed;
  if (completed > seen.most) {
    seen.most = completed;
    seen.fallbacks = 0;
    return true;
  }
  if (completed < before) seen.fallbacks += 1;
  return completed > before && seen.fallbacks <= patience;
}
