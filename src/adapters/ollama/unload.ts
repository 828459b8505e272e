import { setTimeout as sleep } from "node:timers/promises";
import { failed } from "../../domain/failure.ts";
import type { Holding } from "../../domain/observed.ts";
import type { OllamaApi } from "./api.ts";
import { runningUnder } from "./running.ts";

const firstPause = 50;
const longestPause = 1_000;

/** What unloading needs of a connection. */
export interface UnloadSide {
  readonly api: OllamaApi;
  /** Longest wait for a model to leave memory. */
  readonly unloadTimeoutMs: number;
}

/**
 * Gets a model out of memory and waits until it is. To be called before its weights are replaced or deleted: afterwards the name reaches other bytes
 * and the old runner stays (reference/ollama.md 2.10); such a runner is not waited for. Stubs are never in memory: the call would go to their host.
 */
export async function ensureUnloaded(side: UnloadSide, { ref, contentId, facts }: Holding, signal: AbortSignal): Promise<void> {
  if (facts.remoteHost !== undefined) return;
  await unloadThrough(side, { ref, through: ref, ...(contentId === undefined ? {} : { digest: contentId }) }, signal);
}

/** A runner, and the name through which the server is asked to drop it. */
export interface Unloading {
  /** Name under which it is listed. */
  readonly ref: string;
  readonly through: string;
  /** Content that it runs; undefined = whatever it is. */
  readonly digest?: string;
}

/** Asks for a runner to go and waits until it is not listed any more. Nothing is asked when it is not listed. */
export async function unloadThrough({ api, unloadTimeoutMs }: UnloadSide, { ref, through, digest }: Unloading, signal: AbortSignal): Promise<void> {
  const isLoaded = async (): Promise<boolean> => {
    const runners = await runningUnder(api, ref, signal);
    return runners.some((loaded) => loaded.digest === undefined || digest === undefined || loaded.digest === digest);
  };
  if (!(await isLoaded())) return;
  await api.unload(through, signal);
  const deadline = performance.now() + unloadTimeoutMs;
  for (let pause = firstPause; await isLoaded(); pause = Math.min(2 * pause, longestPause)) {
    if (performance.now() > deadline) {
      throw failed("conflict", `${ref} is still in the memory of ${api.server.text} after ${unloadTimeoutMs / 1000} s`, {
        retry: "transient",
        remedy: `wait until its requests are answered, or stop it: ollama stop ${ref}`,
      });
    }
    await sleep(pause, undefined, { signal });
  }
}
