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
  const transfer = new Transfer(part, wanted, download);
  for (let wrong = 0; ; wrong++) {
    await withRetry(
      () => transfer.attempt(),
      download.retry,
      download.signal,
      () => transfer.progressed(),
    );
    const digests = part.digests();
    const problem = mismatchOf(wanted, digests);
    if (problem === undefined) return digests;
    await transfer.startOver();
    if (wrong < moreTries) continue;
    const remedy = "the hub or a proxy sends wrong bytes; nothing was installed";
    throw failed("integrity", `${wanted.path} of ${download.repo}: ${problem}`, { remedy });
  }
}

/** The attempts at one file: what arrived so far, how far they ever got, and how often the source changed under them. */
class Transfer {
  readonly #part: PartFile;
  readonly #wanted: WantedFile;
  readonly #download: Download;
  #arrived: number;
  #furthest: number;
  #changes = 0;

  constructor(part: PartFile, wanted: WantedFile, download: Download) {
    this.#part = part;
    this.#wanted = wanted;
    this.#download = download;
    this.#arrived = part.position;
    this.#furthest = part.position;
  }

  /** True when the part grew beyond what any attempt reached before. */
  progressed(): boolean {
    const moved = this.#part.position > this.#furthest;
    this.#furthest = Math.max(this.#furthest, this.#part.position);
    return moved;
  }

  async startOver(): Promise<void> {
    await this.#empty();
    this.#furthest = 0;
  }

  /** Fetches what is missing, once. */
  async attempt(): Promise<void> {
    const { repo, commit, stallTimeoutMs, signal, client } = this.#download;
    const { path, size } = this.#wanted;
    if (this.#part.position === size) return;
    const seconds = Math.round(stallTimeoutMs / 1000);
    const watch = watchForStall(
      signal,
      stallTimeoutMs,
      () => this.#arrived,
      () => {
        this.#download.onStall(seconds, this.#arrived, `try again from byte ${this.#arrived}`);
        return `${path} of ${repo}: no bytes for ${seconds} s at byte ${this.#arrived} of ${size}`;
      },
    );
    try {
      await this.#receive(await client.open({ repo, commit, path, offset: this.#part.position }, watch.signal));
    } catch (error) {
      watch.signal.throwIfAborted();
      throw networkFailure(error, `fetching ${path} of ${repo}`);
    } finally {
      watch.stop();
      this.#count(this.#part.position);
    }
  }

  async #receive(answer: HubDownload): Promise<void> {
    const { body } = answer.response;
    const { path, size } = this.#wanted;
    const verdict = judgeAnswer(answer, this.#part.position, this.#wanted);
    if (verdict.use === "nothing") {
      body.destroy();
      throw await this.#sourceChanged(verdict.why);
    }
    if (verdict.use === "from-start" && this.#part.position > 0) await this.#empty();
    const received = (bytes: number): void => this.#count(this.#arrived + bytes);
    const end = await pump(body, size - this.#part.position, { received, write: (chunks) => this.#part.append(chunks) });
    if (end === "overflow") throw await this.#sourceChanged(`more than ${size} bytes arrive`);
    const { position } = this.#part;
    if (position < size) throw failed("unreachable", `${path}: the connection ended at byte ${position} of ${size}`, { retry: "transient" });
  }

  /** Tolerated once: a file may have been replaced at the source while it was fetched. */
  async #sourceChanged(why: string): Promise<HoldfastError> {
    await this.startOver();
    this.#changes += 1;
    const message = `${this.#wanted.path} of ${this.#download.repo}: the source changed during the download: ${why}`;
    return failed("integrity", message, { retry: this.#changes > 1 ? "terminal" : "transient" });
  }

  async #empty(): Promise<void> {
    await this.#part.restart();
    this.#count(0);
  }

  #count(arrived: number): void {
    this.#download.onBytes(arrived - this.#arrived);
    this.#arrived = arrived;
  }
}

function judgeAnswer(answer: HubDownload, offset: number, wanted: WantedFile): RangeVerdict {
  if (answer.etag !== undefined && answer.etag !== wanted.etag) return { use: "nothing", why: `its etag is ${answer.etag.slice(0, 80)}` };
  return judgeRange(answer, offset, wanted.size);
}
