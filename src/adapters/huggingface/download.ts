import { failed, type HoldfastError } from "../../domain/failure.ts";
import { judgeRange, type RangeVerdict } from "./byte-range.ts";
import type { HubClient } from "./hub-client.ts";
import { networkFailure } from "./hub-errors.ts";
import type { HubDownload } from "./hub-file.ts";
import { mismatchOf, type PartDigests, type PartFile } from "./part-file.ts";
import { pump } from "./pump.ts";
import { withRetry, type RetryOptions } from "./retry.ts";
import { watchForStall } from "./stall-watch.ts";
import type { WantedFile } from "./wanted-file.ts";

/** Downloads of a file whose bytes turned out wrong, after the first. */
const moreTries = 2;

export interface Download {
  readonly client: HubClient;
  readonly repo: string;
  readonly commit: string;
  readonly stallTimeoutMs: number;
  readonly retry: RetryOptions;
  readonly signal: AbortSignal;
  /** Change of the bytes that are here; negative when a part is thrown away. */
  readonly onBytes: (change: number) => void;
  readonly onStall: (seconds: number, done: number, next: string) => void;
}

/** Brings a part to its full size and proves it; throws `integrity` when the source keeps sending other bytes. */
export async function fillPart(part: PartFile, wanted: WantedFile, download: Download): Promise<PartDigests> {
  let restarts = 0;
  let furthest = part.position;
  const progressed = (): boolean => {
    const moved = part.position > furthest;
    furthest = Math.max(furthest, part.position);
    return moved;
  };
  const restart = async (): Promise<void> => {
    download.onBytes(-part.position);
    await part.restart();
  };
  const sourceChanged = async (why: string): Promise<HoldfastError> => {
    await restart();
    furthest = 0;
    restarts += 1;
    return failed("integrity", `${wanted.path} of ${download.repo}: the source changed during the download: ${why}`, { retry: restarts > 1 ? "terminal" : "transient" });
  };
  for (let wrong = 0; ; wrong++) {
    await withRetry(() => fetchRest(part, wanted, download, { restart, sourceChanged }), download.retry, download.signal, progressed);
    const digests = part.digests();
    const problem = mismatchOf(wanted, digests);
    if (problem === undefined) return digests;
    await restart();
    furthest = 0;
    if (wrong === moreTries) throw failed("integrity", `${wanted.path} of ${download.repo}: ${problem}`, { remedy: "the hub or a proxy sends wrong bytes; nothing was installed" });
  }
}

interface Recovery {
  readonly restart: () => Promise<void>;
  readonly sourceChanged: (why: string) => Promise<HoldfastError>;
}

async function fetchRest(part: PartFile, wanted: WantedFile, download: Download, recovery: Recovery): Promise<void> {
  const { repo, commit, stallTimeoutMs } = download;
  if (part.position === wanted.size) return;
  const seconds = Math.round(stallTimeoutMs / 1000);
  const watch = watchForStall(download.signal, stallTimeoutMs, () => part.position, () => {
    download.onStall(seconds, part.position, `try again from byte ${part.position}`);
    return `${wanted.path} of ${repo}: no bytes for ${seconds} s at byte ${part.position} of ${wanted.size}`;
  });
  try {
    const answer = await download.client.open({ repo, commit, path: wanted.path, offset: part.position }, watch.signal);
    await receive(answer, part, wanted, { ...download, signal: watch.signal }, recovery);
  } catch (error) {
    watch.signal.throwIfAborted();
    throw networkFailure(error, `fetching ${wanted.path} of ${repo}`);
  } finally {
    watch.stop();
  }
}

async function receive(answer: HubDownload, part: PartFile, wanted: WantedFile, download: Download, recovery: Recovery): Promise<void> {
  const { body } = answer.response;
  const verdict = judgeAnswer(answer, part.position, wanted);
  if (verdict.use === "nothing") {
    body.destroy();
    throw await recovery.sourceChanged(verdict.why);
  }
  if (verdict.use === "from-start" && part.position > 0) await recovery.restart();
  const end = await pump(body, wanted.size - part.position, async (chunks) => {
    const before = part.position;
    await part.append(chunks);
    download.onBytes(part.position - before);
  });
  if (end === "overflow") throw await recovery.sourceChanged(`more than ${wanted.size} bytes arrive`);
  if (part.position < wanted.size) throw failed("unreachable", `${wanted.path}: the connection ended at byte ${part.position} of ${wanted.size}`, { retry: "transient" });
}

function judgeAnswer(answer: HubDownload, offset: number, wanted: WantedFile): RangeVerdict {
  if (answer.etag !== undefined && answer.etag !== wanted.etag) return { use: "nothing", why: `its etag is ${answer.etag.slice(0, 80)}` };
  return judgeRange(answer, offset, wanted.size);
}
