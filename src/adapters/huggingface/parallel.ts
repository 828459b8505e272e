type Task<T, R> = (item: T, signal: AbortSignal) => Promise<R>;

/** Runs a task for every item, a few at a time. The first failure ends the others through their signal, and is thrown when all have ended. */
export async function forEachParallel<T>(items: readonly T[], limit: number, outer: AbortSignal, task: Task<T, void>): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  const failures: unknown[] = [];
  const queue = items.values();
  const work = async (): Promise<void> => {
    for (const item of queue) {
      if (signal.aborted) return;
      try {
        await task(item, signal);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  outer.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

/** Results of a task for every item, in their order, a few at a time. */
export async function mapParallel<T, R>(items: readonly T[], limit: number, signal: AbortSignal, task: Task<T, R>): Promise<readonly R[]> {
  const results = new Map<number, R>();
  await forEachParallel([...items.entries()], limit, signal, async ([index, item], inner) => {
    results.set(index, await task(item, inner));
  });
  return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
}
