import { setTimeout as sleep } from "node:timers/promises";
import { failed } from "../../domain/failure.ts";
import type { Holding } from "../../domain/observed.ts";
import { decodeRunning } from "./listing.ts";
import { nameKey } from "./names.ts";
import type { WriterSide } from "./writer-side.ts";

const firstPause = 50;
const longestPause = 1_000;

/**
 * Gets a model out of memory and waits until it is. To be called before its weights are replaced or deleted: afterwards the name reaches other bytes
 * and the old runner stays (reference/ollama.md 2.10); such a runner is not waited for. Stubs are never in memory: the call would go to their host.
 */
export async function ensureUnloaded(side: WriterSide, { ref, contentId, facts }: Holding, signal: AbortSignal): Promise<void> {
  if (facts.remoteHost !== undefined) return;
  const isLoaded = async (): Promise<boolean> => {
    const loaded = decodeRunning(await side.api.running(signal)).get(nameKey(ref));
    return loaded !== undefined && (loaded.digest === undefined || contentId === undefined || loaded.digest === contentId);
  };
  if (!(await isLoaded())) return;
  await side.api.unload(ref, signal);
  const deadline = performance.now() + side.unloadTimeoutMs;
  for (let pause = firstPause; await isLoaded(); pause = Math.min(2 * pause, longestPause)) {
    if (performance.now() > deadline) {
      throw failed("conflict", `${ref} is still in the memory of ${side.api.server.text} after ${side.unloadTimeoutMs / 1000} s`, {
        retry: "transient",
        remedy: `wait until its requests are answered, or stop it: ollama stop ${ref}`,
      });
    }
    await sleep(pause, undefined, { signal });
  }
}
