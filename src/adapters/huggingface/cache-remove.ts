import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { RemoveRequest } from "../../domain/action.ts";
import { failed } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { blobOfLink, repoPaths, type RepoPaths } from "./cache-layout.ts";
import { placeOfBlob } from "./cache-locate.ts";
import { listRefs, listSnapshots, walkSnapshot, type SnapshotEntry } from "./cache-walk.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { parseHubRef } from "./hub-id.ts";
import { noteForeign, partSnapshot } from "./known-entries.ts";
import { withRepoLock } from "./repo-lock.ts";
import { removeEmptyFolders, removeFile, removeTree } from "./safe-remove.ts";
import { sweepSharedBlob } from "./shared-store.ts";
import { partSuffix } from "./slot.ts";

export interface CacheRemoval {
  /** Absolute path of the cache. */
  readonly cache: string;
  readonly request: RemoveRequest;
  readonly context: WriteContext;
  readonly disk: Disk;
}

export interface Removed {
  /** Bytes that no other name on this file system keeps. */
  readonly freedBytes: number;
  readonly quarantine?: string;
}

interface Target extends CacheRemoval {
  readonly repo: string;
  readonly commit: string;
  readonly paths: RepoPaths;
}

/** Refs below this are set for declared models; each project that declares one sets its own. */
const declaredRefs = "holdfast/";

/**
 * Removes a snapshot and the blobs that only it uses; what somebody else put into its folder stays. A crash leaves a smaller snapshot whose links all
 * work; running again finishes.
 */
export async function removeFromCache(removal: CacheRemoval): Promise<Removed> {
  const { cache, request, context } = removal;
  const ref = parseHubRef(request.ref);
  if (ref === undefined) throw failed("invalid-input", `${JSON.stringify(request.ref)} is not a snapshot of the Hub cache`);
  if (request.contentId !== undefined && request.contentId !== ref.commit) {
    throw failed("precondition", `${request.ref} was meant to be removed with the content ${request.contentId}`);
  }
  const paths = repoPaths(ref.repo);
  const there = await onDisk(`could not look at ${paths.folder}`, () => unlessAbsent(lstat(join(cache, paths.folder))));
  if (there === undefined) return { freedBytes: 0 };
  if (!there.isDirectory()) {
    const message = `refused to remove ${request.ref}: ${join(cache, paths.folder)} is not a folder of its own`;
    throw failed("unsafe-path", message, { remedy: "remove the link by hand" });
  }
  return withRepoLock({ root: cache, folder: paths.lock }, context.signal, () => removeLocked({ ...removal, ...ref, paths }));
}

async function removeLocked(target: Target): Promise<Removed> {
  const { cache, commit, paths, request, context } = target;
  const folder = `${paths.snapshots}/${commit}`;
  const found = await onDisk(`could not look at ${folder}`, () => unlessAbsent(lstat(join(cache, folder))));
  if (found === undefined) return { freedBytes: 0 };
  const refs = await refsTo(target);
  requireOneHolder(target, refs);
  for (const name of refs) await removeFile(cache, `${paths.refs}/${name}`);
  await removeEmptyFolders(cache, paths.refs);
  if (!found.isDirectory()) {
    await removeFile(cache, folder);
    return { freedBytes: 0 };
  }
  const { known, foreign } = await partSnapshot(cache, paths, commit);
  const quarantine = request.quarantine ? await putAway(target, known) : undefined;
  const freedBytes = await removeEntries(target, known);
  await removeEmptyFolders(cache, folder);
  noteForeign(foreign, join(cache, folder), context);
  await removeFile(cache, paths.tree(commit));
  await removeTree(cache, `${paths.folder}/.no_exist/${commit}`);
  await removeEmptyRepo(target);
  return { freedBytes, ...(quarantine === undefined ? {} : { quarantine }) };
}

async function refsTo({ cache, commit, paths }: Target): Promise<readonly string[]> {
  const { commits } = await listRefs(join(cache, paths.refs));
  return [...commits].filter(([, pointed]) => pointed === commit).map(([name]) => name);
}

/** One declared ref is that of the model to be removed; a second one says that another project holds the same commit. */
function requireOneHolder({ cache, paths, request }: Target, refs: readonly string[]): void {
  const holders = refs.filter((name) => name.startsWith(declaredRefs)).toSorted();
  if (holders.length < 2) return;
  throw failed("conflict", `refused to remove ${request.ref}: more than one declared model holds it (${holders.join(", ")})`, {
    remedy: `delete the refs that nobody needs any more in ${join(cache, paths.refs, declaredRefs)}`,
  });
}

/** Keeps every file of the commit, also those that others use: a quarantined model is whole. */
async function putAway({ cache, commit, paths, request, disk }: Target, entries: readonly SnapshotEntry[]): Promise<string | undefined> {
  const files: { readonly from: string; readonly as: string }[] = [];
  for (const entry of entries) {
    const path = join(cache, paths.snapshotFile(commit, entry.path));
    const blob = entry.kind === "link" ? blobOfLink(join(cache, paths.folder), path, entry.target) : undefined;
    const place = blob === undefined ? undefined : await placeOfBlob(cache, join(cache, paths.blob(blob)));
    if (place?.kind === "own" || place?.kind === "shared") files.push({ from: place.path, as: entry.path });
    else if (entry.kind === "file") files.push({ from: path, as: entry.path });
  }
  return files.length === 0 ? undefined : disk.quarantine(files, { reason: "removed", ref: request.ref }, "copy");
}

/** Links first, then the bytes behind them, one blob after the other, so that no link ever dangles. */
async function removeEntries({ cache, commit, paths, context }: Target, entries: readonly SnapshotEntry[]): Promise<number> {
  const repoFolder = join(cache, paths.folder);
  const blobs = new Map<string, string[]>();
  let freed = 0;
  for (const entry of entries) {
    const path = paths.snapshotFile(commit, entry.path);
    const blob = entry.kind === "link" ? blobOfLink(repoFolder, join(cache, path), entry.target) : undefined;
    if (blob === undefined) freed += await removeFile(cache, path);
    else blobs.set(blob, [...(blobs.get(blob) ?? []), path]);
  }
  const used = await usedElsewhere(cache, paths, commit);
  for (const [blob, links] of blobs) {
    context.signal.throwIfAborted();
    for (const link of links) await removeFile(cache, link);
    if (used !== undefined && !used.has(blob)) freed += await removeBlob(cache, paths.blob(blob));
  }
  return freed;
}

async function removeBlob(cache: string, blob: string): Promise<number> {
  const place = await placeOfBlob(cache, join(cache, blob));
  const own = await removeFile(cache, blob);
  return place.kind === "shared" ? onDisk(`could not clear the shared blob ${place.xetHash}`, () => sweepSharedBlob(cache, place.xetHash)) : own;
}

/** Blobs that other snapshots of the repository link to; undefined when that cannot be told, and then nothing is deleted. */
async function usedElsewhere(cache: string, paths: RepoPaths, commit: string): Promise<ReadonlySet<string> | undefined> {
  const used = new Set<string>();
  const { commits } = await listSnapshots(join(cache, paths.snapshots));
  for (const other of commits.filter((name) => name !== commit)) {
    const folder = join(cache, paths.snapshots, other);
    if (!(await lstat(folder)).isDirectory()) return undefined;
    for (const entry of await walkSnapshot(folder)) {
      const blob = entry.kind === "link" ? blobOfLink(join(cache, paths.folder), join(folder, entry.path), entry.target) : undefined;
      if (blob !== undefined) used.add(blob);
    }
  }
  return used;
}

/** A repository without snapshots goes too, unless somebody else's files are in it. */
async function removeEmptyRepo({ cache, paths }: Target): Promise<void> {
  const { commits, others } = await listSnapshots(join(cache, paths.snapshots));
  const blobs = (await unlessAbsent(readdir(join(cache, paths.blobs)))) ?? [];
  if (commits.length > 0 || others.length > 0 || blobs.some((name) => !name.endsWith(partSuffix))) return;
  for (const name of blobs) await removeFile(cache, `${paths.blobs}/${name}`);
  for (const folder of ["trees", ".no_exist", "refs"]) await removeTree(cache, `${paths.folder}/${folder}`);
  await removeEmptyFolders(cache, paths.folder);
}
