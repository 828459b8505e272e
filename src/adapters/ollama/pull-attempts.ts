import { failed, HoldfastError } from "../../domain/failure.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { removeBrokenParts } from "./broken-parts.ts";
import { readPull, type PullLine } from "./pull-stream.ts";
import { retrying } from "./retrying.ts";
import { watchForStall, type StallWatch } from "./stall-watch.ts";
import type { WriterSide } from "./writer-side.ts";

/** One pull as the server is asked for it. */
export interface PullTask {
  /** Name as the server gets it, host included. */
  readonly model: string;
  readonly insecure: boolean;
  /** Bytes of all blobs, when known. */
  readonly total: number | undefined;
}

const progressPause = 250;
/** Slower than any disk that holds models: how fast the server is expected to hash at least, in bytes per millisecond. */
const hashingSpeed = 30_000;

/** Lets the server pull until it says `success`, again after failures that pass. Aborting ends the transfer on the server. */
export async function runPull(side: WriterSide, task: PullTask, context: WriteContext): Promise<void> {
  const { id, progress, signal } = context;
  const onRetry = (error: HoldfastError, delayMs: number): void => {
    progress({ type: "note", id, message: `${error.failure.message}; trying again in ${Math.ceil(delayMs / 1000)} s` });
  };
  await retrying(
    async () => {
      try {
        await attemptPull(side, task, context);
      } catch (error) {
        await mendParts(side, error, context);
        throw error;
      }
    },
    side.retry,
    onRetry,
    signal,
  );
}

async function attemptPull(side: WriterSide, task: PullTask, { id, progress, signal }: WriteContext): Promise<void> {
  const watch = watchForStall(side.stallTimeoutMs);
  const attempt = new AbortController();
  const meter = createMeter(task.total);
  try {
    const stream = await side.api.startPull(task.model, task.insecure, AbortSignal.any([signal, watch.signal, attempt.signal]));
    for await (const line of readPull(stream, task.model, side.api.server.text)) {
      observeLine(line, watch, meter);
      if (meter.isDue(line.status)) progress({ type: "progress", id, phase: phaseOf(line.status), ...meter.bytes() });
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!watch.signal.aborted) throw error;
    const { done = 0 } = meter.bytes();
    progress({ type: "stalled", id, seconds: side.stallTimeoutMs / 1000, done, next: "the transfer is ended and tried again" });
    throw stalled(side, task, error);
  } finally {
    watch.end();
    attempt.abort();
  }
}

function observeLine(line: PullLine, watch: StallWatch, meter: Meter): void {
  if (line.digest !== undefined) {
    watch.see(line.digest, line.completed);
    meter.see(line.digest, line.completed, line.total);
    return;
  }
  if (line.status.startsWith("verifying")) watch.allow((meter.bytes().total ?? 0) / hashingSpeed);
  else if (meter.isNews(line.status)) watch.allow(0);
}

interface Meter {
  see(digest: string, completed: number, total: number): void;
  bytes(): { readonly done?: number; readonly total?: number };
  isNews(status: string): boolean;
  isDue(status: string): boolean;
}

/** Adds up blobs, and lets through only some of the sixteen lines a second. */
function createMeter(knownTotal: number | undefined): Meter {
  const blobs = new Map<string, { readonly completed: number; readonly total: number }>();
  const statuses = new Set<string>();
  let lastTime = 0;
  let lastPhase = "";
  return {
    see: (digest, completed, total) => void blobs.set(digest, { completed, total }),
    bytes() {
      if (blobs.size === 0) return knownTotal === undefined ? {} : { total: knownTotal };
      const all = [...blobs.values()];
      return { done: all.reduce((sum, blob) => sum + blob.completed, 0), total: knownTotal ?? all.reduce((sum, blob) => sum + blob.total, 0) };
    },
    isNews: (status) => !statuses.has(status) && Boolean(statuses.add(status)),
    isDue(status) {
      const now = performance.now();
      const phase = phaseOf(status);
      if (phase === lastPhase && now - lastTime < progressPause) return false;
      lastTime = now;
      lastPhase = phase;
      return true;
    },
  };
}

function phaseOf(status: string): string {
  return status.startsWith("pulling ") && status !== "pulling manifest" ? "downloading" : status;
}

/** With our own eyes on the disk we can remove what makes every further attempt fail. */
async function mendParts(side: WriterSide, error: unknown, { id, progress, signal }: WriteContext): Promise<void> {
  if (signal.aborted || side.directory === undefined) return;
  if (!(error instanceof HoldfastError) || error.failure.code !== "upstream") return;
  const removed = await removeBrokenParts(side.directory, signal);
  if (removed.length > 0) progress({ type: "note", id, message: `removed broken leftovers of an earlier download: ${removed.join(", ")}` });
}

function stalled(side: WriterSide, task: PullTask, cause: unknown): HoldfastError {
  return failed("stalled", `could not pull model ${task.model} (server ${side.api.server.text}): no new byte for ${side.stallTimeoutMs / 1000} s`, {
    retry: "transient",
    remedy:
      "bytes should keep coming, however large the model: check the network of the server, raise the stall timeout, or try manually: `ollama pull`",
    cause,
  });
}
