import { constants, existsSync } from "node:fs";
import { mkdir, open, readlink, realpath, type FileHandle } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { errnoOf } from "./disk-failure.ts";
import { isInside, leadsOut } from "./containment.ts";

const descriptors = "/proc/self/fd";
const hasDescriptorPaths = process.platform === "linux" && existsSync(descriptors);

/** A folder held open, so that all steps of one write happen in the same folder even when its path is swapped for a link meanwhile. */
export interface OpenFolder {
  /** Path of an entry that leads through the open folder where the system can do that. */
  at(name: string): string;
  /** Where the folder really is, links resolved. */
  realPath(): Promise<string>;
  /** Makes renames and new entries durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the folder of a write, which it creates if need be. */
export type FolderOpener = (path: string) => Promise<OpenFolder>;

/** Opens a folder wherever its path leads. */
export async function openAnywhere(path: string): Promise<OpenFolder> {
  await ensureFolder(path);
  return openFolder(path);
}

/**
 * Opens a folder below a root one level at a time. Each level is created in, and looked up from, a folder that is already open and known to lie in
 * the root, so that swapping any part of the path for a link leads to `unsafe-path` and never to a write elsewhere.
 */
export async function openInside(root: string, path: string): Promise<OpenFolder> {
  let folder = await openAnywhere(root);
  try {
    const realRoot = await folder.realPath();
    for (const name of relative(root, path)
      .split(sep)
      .filter((segment) => segment !== "")) {
      const next = await openChild(folder, name);
      await folder.close();
      folder = next;
      const real = await folder.realPath();
      if (!isInside(realRoot, real)) throw leadsOut(root, path, real);
    }
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function openChild(folder: OpenFolder, name: string): Promise<OpenFolder> {
  try {
    await mkdir(folder.at(name));
    await folder.sync();
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  return openFolder(folder.at(name));
}

async function openFolder(path: string): Promise<OpenFolder> {
  if (process.platform === "win32") return pathOnly(path);
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const base = hasDescriptorPaths ? join(descriptors, String(handle.fd)) : path;
  return {
    at: (name) => join(base, name),
    realPath: () => (hasDescriptorPaths ? readlink(base) : realpath(base)),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

/** Creates what is missing of a folder and makes each new entry durable in its parent. */
export async function ensureFolder(path: string, mode?: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
  if (first === undefined) return;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    await syncFolder(folder);
    if (folder === dirname(first)) return;
  }
}

/** Runs an action with an open folder and closes it in any case. */
export async function withFolder<T>(opening: Promise<OpenFolder>, action: (folder: OpenFolder) => Promise<T>): Promise<T> {
  const folder = await opening;
  try {
    return await action(folder);
  } finally {
    await folder.close();
  }
}

/** Makes renames and new entries of a folder durable. */
export function syncFolder(path: string): Promise<void> {
  return withFolder(openFolder(path), (folder) => folder.sync());
}

/** Runs an action with an open file and closes it in any case. */
export async function withFile<T>(opening: Promise<FileHandle>, action: (file: FileHandle) => Promise<T>): Promise<T> {
  const handle = await opening;
  try {
    return await action(handle);
  } finally {
    await handle.close();
  }
}

/** Windows can neither open nor sync a folder; its journal keeps renames in order. */
function pathOnly(path: string): OpenFolder {
  return { at: (name) => join(path, name), realPath: () => realpath(path), sync: async () => {}, close: async () => {} };
}
