import type { Host } from "../app/host.ts";

/** Runs while no other process writes to this project's state, lock file and registry. */
export async function exclusively<T>(host: Host, operation: string, run: () => Promise<T>): Promise<T> {
  const release = await host.lock.acquire(operation);
  try {
    return await run();
  } finally {
    release();
  }
}
