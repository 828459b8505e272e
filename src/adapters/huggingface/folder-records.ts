import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HubPull } from "../../domain/action.ts";
import type { Disk } from "../../ports/disk.ts";
import { cacheTag } from "./cache-layout.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import type { Listing } from "./hub-listing.ts";
import { forEachParallel } from "./parallel.ts";
import { removeFile } from "./safe-remove.ts";
import { encodeTreeFile } from "./tree-file.ts";
import type { WantedFile } from "./wanted-file.ts";

/** Where the Python client keeps its records of a plain folder, level by level. */
export const recordsFolder: readonly string[] = [".cache", "huggingface"];
export const downloadsFolder: readonly string[] = [...recordsFolder, "download"];
/** Ends the name of a record; the rest is the path of its file. */
export const recordSuffix = ".metadata";

export interface FolderRecords {
  readonly dir: string;
  readonly request: HubPull;
  readonly wanted: readonly WantedFile[];
  readonly listing: Listing;
  readonly signal: AbortSignal;
}

const parallelRecords = 8;
const deepest = 64;

export function treeFileOf(commit: string): string {
  return [...recordsFolder, "trees", `${commit}.json`].join("/");
}

/** Writes down where the files came from, after the files: the Python client believes a record that is not older than its file. */
export async function writeRecords({ dir, request, wanted, listing, signal }: FolderRecords, disk: Disk): Promise<void> {
  const write = async (path: string, text: string): Promise<void> => disk.writeDurable(await disk.contained(dir, path), text);
  const inRecords = (name: string): string => [...recordsFolder, name].join("/");
  if ((await onDisk(`could not look at ${dir}`, () => unlessAbsent(stat(join(dir, inRecords(".gitignore")))))) === undefined) {
    await write(inRecords(".gitignore"), "*");
    await write(inRecords("CACHEDIR.TAG"), cacheTag);
  }
  if (listing.state === "fetched") await write(treeFileOf(request.commit), encodeTreeFile(listing.files));
  await forEachParallel(wanted, parallelRecords, signal, async ({ path, etag }) => {
    const modifiedMs = (await onDisk(`could not look at ${path}`, () => stat(join(dir, path)))).mtimeMs;
    const record = recordOf(path);
    if (await isCurrent(join(dir, record), request.commit, etag, modifiedMs)) return;
    await write(record, `${request.commit}\n${etag}\n${Date.now() / 1000}\n`);
  });
  await dropForeignRecords(dir, request, wanted);
}

/** Every folder that `writeRecords` writes to, absolute. */
export function foldersOfRecords(dir: string, commit: string, wanted: readonly WantedFile[]): readonly string[] {
  const files = [...wanted.map(({ path }) => recordOf(path)), treeFileOf(commit)].map((path) => join(dir, dirname(path)));
  return [join(dir, ...recordsFolder), ...files];
}

function recordOf(path: string): string {
  return `${downloadsFolder.join("/")}/${path}${recordSuffix}`;
}

async function isCurrent(path: string, commit: string, etag: string, modifiedMs: number): Promise<boolean> {
  const lines = await linesOf(path);
  return lines[0] === commit && lines[1] === etag && Number(lines[2]) * 1000 >= modifiedMs - 1000;
}

/** Records of files that this commit does not bring say that they are from another one: the folder no longer is that commit. The files stay. */
async function dropForeignRecords(dir: string, request: HubPull, wanted: readonly WantedFile[]): Promise<void> {
  const ours = new Set(wanted.map((file) => recordOf(file.path)));
  const visit = async (folder: string, depth: number): Promise<void> => {
    const entries = (await onDisk(`could not list ${folder}`, () => unlessAbsent(readdir(join(dir, folder), { withFileTypes: true })))) ?? [];
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && depth < deepest) await visit(path, depth + 1);
      if (!entry.isFile() || !path.endsWith(recordSuffix) || ours.has(path)) continue;
      if ((await linesOf(join(dir, path)))[0] !== request.commit) await removeFile(dir, path);
    }
  };
  await visit(downloadsFolder.join("/"), 0);
}

async function linesOf(path: string): Promise<readonly string[]> {
  return (await onDisk(`could not read ${path}`, () => unlessAbsent(readFile(path, "utf8"))))?.split("\n") ?? [];
}
