/** Runs what it is given one after the other, in the order of coming. Who waits can be aborted; who runs sees to that itself. */
export type OneAtATime = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function createOneAtATime(): OneAtATime {
  let last: Promise<void> = Promise.resolve();
  return async (work, signal) => {
    signal.throwIfAborted();
    const before = last;
    const mine = Promise.withResolvers<void>();
    last = before.then(() => mine.promise);
    try {
      await turnOrAbort(before, signal);
      return await work();
    } finally {
      mine.resolve();
    }
  };
}

async function turnOrAbort(turn: Promise<void>, signal: AbortSignal): Promise<void> {
  const abort = Promise.withResolvers<never>();
  const onAbort = (): void => abort.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([turn, abort.promise]);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
