import { failed, HoldfastError } from "../../domain/failure.ts";
import type { ArtifactState } from "../../domain/observed.ts";
import type { Clock } from "../../ports/clock.ts";
import type { FileHasher, FileToInspect } from "../../ports/file-hasher.ts";
import type { HashCache } from "../../ports/hash-cache.ts";
import { hashContents, type Content } from "./hash-content.ts";
import { identityOf, type HashedFile } from "./hash-file.ts";
import { createHashPool } from "./hash-pool.ts";
import { lookAtFiles, unreadable, type Look } from "./look-at-files.ts";

/** What the hasher is made of. */
export interface FileHasherOptions {
  readonly cache: HashCache;
  /** Files that are hashed at the same time, at least 1. */
  readonly workers: number;
  readonly clock: Pick<Clock, "now">;
}

/** A hasher with threads that can be ended; it may be used again afterwards. */
export type ClosableFileHasher = FileHasher & { close(): Promise<void> };

/** One inode that is to be hashed, and the places in the input that mean it. */
interface Wanted extends Content {
  readonly places: number[];
}

/** Inspects files of this machine. */
export function createFileHasher({ cache, workers, clock }: FileHasherOptions): ClosableFileHasher {
  const pool = createHashPool(workers);

  const remember = (results: readonly HashedFile[]): void => {
    const at = clock.now();
    const entries = results.flatMap((result) =>
      result.state === "hashed" && result.settled ? [{ file: result.identity, sha256: result.sha256, at }] : [],
    );
    try {
      cache.remember(entries);
    } catch (error) {
      // A cache that cannot be written costs a hash next time; the verdict on the files stands.
      if (!(error instanceof HoldfastError)) throw error;
    }
  };

  return {
    async inspect(files, level, signal, onBytes = () => {}) {
      signal.throwIfAborted();
      const looks = await lookAtFiles(files, signal);
      if (level === "presence") return looks.map(presenceOf);
      if (level === "stat") return recall(looks, cache);
      const states = looks.map(presenceOf);
      const onHashed = (batch: readonly Wanted[], results: readonly HashedFile[]): void => {
        remember(results);
        const at = clock.now();
        batch.forEach((wanted, index) => {
          const result = verdictFor(wanted, results[index]);
          for (const place of wanted.places) states[place] = stateOf(result, files[place], at);
        });
      };
      await hashContents(wantedOf(files, looks), { pool, workers, signal, onBytes, onHashed });
      return states;
    },
    close: () => pool.close(),
  };
}

function presenceOf(look: Look): ArtifactState {
  return look.state === "told" ? look.artifact : { state: "present", level: "presence" };
}

function recall(looks: readonly Look[], cache: HashCache): readonly ArtifactState[] {
  const there = looks.flatMap((look) => (look.state === "there" ? [identityOf(look.stats)] : []));
  const known = cache.lookup(there).values();
  return looks.map((look) => {
    if (look.state === "told") return look.artifact;
    const entry = known.next().value;
    if (entry === undefined) return presenceOf(look);
    return { state: "present", level: "stat", sha256: entry.sha256, verifiedAt: entry.at };
  });
}

/** Files that are one and the same on disk, such as blobs shared by several models, are hashed once. */
function wantedOf(files: readonly FileToInspect[], looks: readonly Look[]): readonly Wanted[] {
  const byInode = new Map<string, Wanted>();
  looks.forEach((look, place) => {
    const file = files[place];
    if (file === undefined || look.state === "told") return;
    const key = `${look.stats.dev}:${look.stats.ino}`;
    const wanted = byInode.get(key);
    if (wanted === undefined) byInode.set(key, { path: file.path, stats: look.stats, places: [place] });
    else wanted.places.push(place);
  });
  return [...byInode.values()];
}

/** Several paths led to one inode when they were looked at; if the hashed one leads elsewhere now, its hash says nothing about the others. */
function verdictFor({ places, stats }: Wanted, result: HashedFile | undefined): HashedFile | undefined {
  if (result?.state !== "hashed" || places.length === 1) return result;
  const { device, inode } = identityOf(stats);
  return result.identity.device === device && result.identity.inode === inode ? result : { state: "changing" };
}

function stateOf(result: HashedFile | undefined, file: FileToInspect | undefined, at: string): ArtifactState {
  if (result === undefined || file === undefined || result.state === "missing") return { state: "missing" };
  if (result.state === "refused") return { state: "unreadable", failure: unreadable(file.path, result.errno) };
  if (result.state === "changing") {
    const conflict = failed("conflict", `${file.path} was being written while it was hashed`, {
      retry: "transient",
      remedy: "wait until it is complete",
    });
    return { state: "unreadable", failure: conflict.failure };
  }
  const { size } = result.identity;
  if (file.size !== undefined && file.size !== size) return { state: "incomplete", size };
  return { state: "present", level: "full", sha256: result.sha256, verifiedAt: at };
}
