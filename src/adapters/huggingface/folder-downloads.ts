import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isSha256 } from "../../domain/digest.ts";
import { walkSnapshot, type SnapshotEntry } from "./cache-walk.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { downloadsFolder, recordSuffix, recordsFolder, treeFileOf } from "./folder-records.ts";
import { isCommit } from "./hub-id.ts";
import { readTreeFile } from "./hub-listing.ts";
import { partEntries, type PartedEntries } from "./known-entries.ts";
import { openSafeFolder } from "./safe-folder.ts";

export interface FolderContent extends PartedEntries {
  /** Whether at least one file is recorded as downloaded: without that nothing says that the folder is a download. */
  readonly hasRecords: boolean;
}

const recordLimit = 1024;

/** Tells what was downloaded into a plain folder from what somebody else put there. Refuses records that are reached through a link. */
export async function partFolder(dir: string): Promise<FolderContent> {
  const recorded = await recordedPaths(dir);
  const sizes = await listedSizes(dir);
  const inRecords = `${recordsFolder.join("/")}/`;
  const entries = (await walkSnapshot(dir)).filter(({ path }) => !path.startsWith(inRecords));
  const asListed = new Set<string>();
  for (const entry of entries) if (await hasListedSize(dir, entry, sizes.get(entry.path))) asListed.add(entry.path);
  return { ...partEntries(entries, ({ path }) => recorded.has(path) || asListed.has(path)), hasRecords: recorded.size > 0 };
}

async function recordedPaths(dir: string): Promise<ReadonlySet<string>> {
  if (!(await isThere(dir, downloadsFolder))) return new Set();
  const root = join(dir, ...downloadsFolder);
  const paths = new Set<string>();
  for (const { kind, path } of await walkSnapshot(root)) {
    if (kind === "file" && path.endsWith(recordSuffix) && (await isRecord(join(root, path)))) paths.add(path.slice(0, -recordSuffix.length));
  }
  return paths;
}

async function isRecord(path: string): Promise<boolean> {
  const text = await onDisk(`could not read ${path}`, async () => ((await lstat(path)).size > recordLimit ? "" : readFile(path, "utf8")));
  const [commit = "", etag = "", time = ""] = text.split("\n");
  return isCommit(commit) && (isCommit(etag) || isSha256(etag)) && Number(time) > 0;
}

/** Sizes by path, from the kept lists: files of an earlier commit have no record any more. */
async function listedSizes(dir: string): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const sizes = new Map<string, Set<number>>();
  if (!(await isThere(dir, [...recordsFolder, "trees"]))) return sizes;
  const trees = join(dir, ...recordsFolder, "trees");
  const names = (await onDisk(`could not list ${trees}`, () => unlessAbsent(readdir(trees)))) ?? [];
  for (const commit of names.map((name) => name.replace(/\.json$/, "")).filter(isCommit)) {
    for (const { path, size } of (await readTreeFile(join(dir, treeFileOf(commit)))) ?? [])
      sizes.set(path, new Set([...(sizes.get(path) ?? []), size]));
  }
  return sizes;
}

/** A list names every file of its commit, also those that were not fetched: a file of somebody else may have the name, hardly the size too. */
async function hasListedSize(dir: string, { kind, path }: SnapshotEntry, sizes: ReadonlySet<number> | undefined): Promise<boolean> {
  if (kind !== "file" || sizes === undefined) return false;
  const found = await onDisk(`could not look at ${path}`, () => unlessAbsent(lstat(join(dir, path))));
  return found !== undefined && sizes.has(found.size);
}

async function isThere(dir: string, levels: readonly string[]): Promise<boolean> {
  const folder = await onDisk(`could not look at ${join(dir, ...levels)}`, () => openSafeFolder(dir, levels, "find"));
  await folder?.close();
  return folder !== undefined;
}
