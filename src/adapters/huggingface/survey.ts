import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import type { Sha256 } from "../../domain/digest.ts";
import { HoldfastError } from "../../domain/failure.ts";
import type { ArtifactState, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { gitBlobHash } from "./git-blob.ts";
import { mismatchOf, type PartDigests } from "./part-file.ts";
import type { Slot } from "./slot.ts";

/** What is already there of the wanted files. */
export interface Survey {
  /** Proven now or earlier; never fetched again. */
  readonly good: ReadonlyMap<Slot, Sha256>;
  readonly missing: readonly Slot[];
  /** A regular file with other bytes is in the place. */
  readonly bad: readonly Slot[];
}

export interface SurveyOptions {
  readonly hasher: FileHasher;
  /** Absolute path of the file that holds the bytes of a slot, when there is one that may be trusted to be read. */
  readonly locate: (slot: Slot) => Promise<string | undefined>;
  /** True for files that are read in any case, however recently they were proven. */
  readonly distrusted: (slot: Slot) => boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

interface Candidate {
  readonly slot: Slot;
  readonly path: string;
}

/** Finds out by hash, not by name or size, which wanted files are there. */
export async function survey(slots: readonly Slot[], options: SurveyOptions): Promise<Survey> {
  const located = await Promise.all(slots.map(async (slot) => ({ slot, path: await options.locate(slot) })));
  const candidates = located.flatMap(({ slot, path }) => (path === undefined ? [] : [{ slot, path }]));
  const sized = await Promise.all(candidates.map(async ({ slot, path }) => (await sizeOf(path)) === slot.wanted.size));
  const right = candidates.filter((_, index) => sized[index] === true);
  const digests = new Map([...(await hashAll(right, options)), ...(await hashGitFiles(right, options))]);
  const good = new Map(
    right.flatMap(({ slot }) => {
      const found = digests.get(slot);
      return found !== undefined && mismatchOf(slot.wanted, found) === undefined ? [[slot, found.sha256] as const] : [];
    }),
  );
  const there = new Set(candidates.map(({ slot }) => slot));
  return { good, missing: slots.filter((slot) => !there.has(slot)), bad: candidates.map(({ slot }) => slot).filter((slot) => !good.has(slot)) };
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await onDisk(`could not look at ${path}`, () => unlessAbsent(stat(path))))?.size;
}

/** Files with a known SHA-256: remembered hashes count, the rest is read. A SHA-256 proves more than a Git id, which is then taken as given. */
async function hashAll(candidates: readonly Candidate[], options: SurveyOptions): Promise<readonly (readonly [Slot, PartDigests])[]> {
  const known = candidates.filter(({ slot }) => slot.wanted.sha256 !== undefined);
  const [read, remembered] = [known.filter(({ slot }) => options.distrusted(slot)), known.filter(({ slot }) => !options.distrusted(slot))];
  const quick = await inspect(remembered, "stat", options);
  const unproven = remembered.filter(({ slot }) => !quick.has(slot));
  const slow = await inspect([...read, ...unproven], "full", options);
  return [...quick, ...slow].map(([slot, sha256]) => [slot, { sha256, ...(slot.wanted.gitId === undefined ? {} : { gitId: slot.wanted.gitId }) }]);
}

async function inspect(candidates: readonly Candidate[], level: VerificationLevel, options: SurveyOptions): Promise<ReadonlyMap<Slot, Sha256>> {
  if (candidates.length === 0) return new Map();
  const files = candidates.map(({ slot, path }) => ({ path, size: slot.wanted.size }));
  const states = await options.hasher.inspect(files, level, options.signal, options.onBytes);
  return new Map(candidates.flatMap(({ slot }, index) => hashOf(states[index]).map((sha256) => [slot, sha256] as const)));
}

function hashOf(state: ArtifactState | undefined): readonly Sha256[] {
  if (state?.state === "unreadable") throw new HoldfastError(state.failure);
  return state?.state === "present" && state.level !== "presence" ? [state.sha256] : [];
}

async function hashGitFiles(candidates: readonly Candidate[], options: SurveyOptions): Promise<readonly (readonly [Slot, PartDigests])[]> {
  const found: (readonly [Slot, PartDigests])[] = [];
  for (const { slot, path } of candidates.filter(({ slot }) => slot.wanted.sha256 === undefined)) {
    found.push([slot, await hashGitFile(path, slot.wanted.size, options.signal)]);
    options.onBytes(slot.wanted.size);
  }
  return found;
}

/** SHA-256 and Git id in one pass. */
export async function hashGitFile(path: string, size: number, signal: AbortSignal): Promise<PartDigests> {
  const [sha256, gitId] = [createHash("sha256"), gitBlobHash(size)];
  await onDisk(`could not read ${path}`, async () => {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
      sha256.update(chunk);
      gitId.update(chunk);
    }
  });
  return { sha256: sha256.digest("hex"), gitId: gitId.digest("hex") };
}

/** The path itself when a regular file is there, not a link. */
export async function regularFileAt(path: string): Promise<string | undefined> {
  return (await onDisk(`could not look at ${path}`, () => unlessAbsent(lstat(path))))?.isFile() === true ? path : undefined;
}
