const signals = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs with a signal that the first Ctrl-C or SIGTERM aborts; a second one ends the process at once. A server that is told to stop has done its job. */
export async function interruptible(run: (signal: AbortSignal) => Promise<number>, isServer = false): Promise<number> {
  const controller = new AbortController();
  let interrupted: number | undefined;
  const stop = (name: keyof typeof signals) => (): void => {
    if (interrupted !== undefined) process.exit(signals[name]);
    interrupted = signals[name];
    if (!isServer) process.stderr.write("\nfinishing the current step; it is safe to wait, or press Ctrl-C again to stop at once\n");
    controller.abort();
  };
  const listeners = { SIGINT: stop("SIGINT"), SIGTERM: stop("SIGTERM") };
  process.on("SIGINT", listeners.SIGINT);
  process.on("SIGTERM", listeners.SIGTERM);
  try {
    const code = await run(controller.signal);
    return isServer ? code : (interrupted ?? code);
  } catch (error) {
    if (interrupted !== undefined) return interrupted;
    throw error;
  } finally {
    process.off("SIGINT", listeners.SIGINT);
    process.off("SIGTERM", listeners.SIGTERM);
  }
}
