import { lstat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { failed, HoldfastError } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { fillPart, type Download } from "./download.ts";
import type { HubClient } from "./hub-client.ts";
import { createMeter } from "./meter.ts";
import { forEachParallel } from "./parallel.ts";
import { PartFile, type PartDigests, type PartStamp } from "./part-file.ts";
import type { RetryOptions } from "./retry.ts";
import { openSafeFolder } from "./safe-folder.ts";
import type { Slot } from "./slot.ts";

export interface FetchSettings {
  readonly client: HubClient;
  readonly disk: Disk;
  readonly parallelFiles: number;
  readonly stallTimeoutMs: number;
  readonly retry: RetryOptions;
  /** Bytes that stay free on the file system, whatever is fetched. */
  readonly reserveBytes: number;
}

/** Hashes of a complete part, and the mark of the file they were computed from. */
export type Proof = PartDigests & PartStamp;

export interface FetchJob {
  readonly repo: string;
  readonly commit: string;
  readonly root: string;
  readonly slots: readonly Slot[];
  readonly context: WriteContext;
  /** Called once per slot, when the part is complete and every known hash fits. */
  readonly onProven: (slot: Slot, proof: Proof) => Promise<void>;
}

/** Fetches files into their parts, largest first; stops before the first byte when the disk is too small. */
export async function fetchFiles(job: FetchJob, settings: FetchSettings): Promise<void> {
  const { slots, root, context } = job;
  if (slots.length === 0) return;
  const here = await Promise.all(slots.map((slot) => partSize(root, slot)));
  const total = slots.reduce((sum, slot) => sum + slot.wanted.size, 0);
  const done = here.reduce((sum, size) => sum + size, 0);
  await requireSpace(root, total - done, settings);
  if (done > 0) context.progress({ type: "note", id: context.id, message: `resuming ${job.repo} at ${formatBytes(done)} of ${formatBytes(total)}` });
  const meter = createMeter({ ...context, phase: "download", total }, done);
  const sorted = slots.toSorted((a, b) => b.wanted.size - a.wanted.size);
  await forEachParallel(sorted, settings.parallelFiles, context.signal, async (slot, signal) => {
    await job.onProven(slot, await fetchSlot(slot, job, settings, { signal, onBytes: meter.add }));
  });
  meter.report();
}

async function fetchSlot(slot: Slot, job: FetchJob, settings: FetchSettings, live: Pick<Download, "signal" | "onBytes">): Promise<Proof> {
  const folder = await onDisk(`could not open the folder for ${slot.wanted.path}`, () => openSafeFolder(job.root, slot.partFolder, "make"));
  if (folder === undefined) throw failed("unexpected", `no folder for ${slot.wanted.path}`);
  try {
    const part = await PartFile.open(folder, slot.partName, slot.wanted, live.signal);
    try {
      return { ...(await fillPart(part, slot.wanted, downloadOf(job, settings, live))), ...(await part.stamp()) };
    } finally {
      await part.close();
    }
  } catch (error) {
    if (error instanceof HoldfastError && error.failure.code === "integrity") await unlessAbsent(unlink(folder.at(slot.partName)));
    throw error;
  } finally {
    await folder.close();
  }
}

function downloadOf({ repo, commit, context }: FetchJob, settings: FetchSettings, live: Pick<Download, "signal" | "onBytes">): Download {
  const { client, stallTimeoutMs, retry } = settings;
  const onStall: Download["onStall"] = (seconds, done, next) => context.progress({ type: "stalled", id: context.id, seconds, done, next });
  return { client, repo, commit, stallTimeoutMs, retry, ...live, onStall };
}

/** Bytes of a slot that an earlier run left. */
async function partSize(root: string, slot: Slot): Promise<number> {
  const found = await unlessAbsent(lstat(join(root, ...slot.partFolder, slot.partName)));
  return found?.isFile() === true && found.size <= slot.wanted.size ? found.size : 0;
}

async function requireSpace(root: string, bytes: number, { disk, reserveBytes }: FetchSettings): Promise<void> {
  const free = await disk.freeBytes(root);
  const needed = Math.ceil(bytes * 1.05) + reserveBytes;
  if (bytes === 0 || free === undefined || free >= needed) return;
  throw failed("disk-full", `needs ${formatBytes(needed)}, ${formatBytes(free)} free on ${root}`, { remedy: "free some space there and run again" });
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? "B"}`;
}
