import { constants, existsSync } from "node:fs";
import { lstat, mkdir, open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { failed } from "../../domain/failure.ts";
import { errnoOf } from "./disk-errors.ts";

/** A folder held open: entries are reached through it, so that swapping its path for a link meanwhile leads nowhere else. */
export interface SafeFolder {
  at(name: string): string;
  sync(): Promise<void>;
  close(): Promise<void>;
}

const descriptors = "/proc/self/fd";
const throughDescriptors = process.platform === "linux" && existsSync(descriptors);

/** Opens a folder below a root one level at a time, refusing links on the way; undefined when it does not exist and is not to be made. */
export async function openSafeFolder(root: string, levels: readonly string[], make: "make" | "find"): Promise<SafeFolder | undefined> {
  if (make === "make") await mkdir(root, { recursive: true });
  try {
    let folder = await openFolder(root, constants.O_DIRECTORY);
    for (const level of levels) {
      folder = await openLevel(folder, level, make);
    }
    return folder;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && make === "find") return undefined;
    if (errnoOf(error) === "ELOOP" || errnoOf(error) === "ENOTDIR") {
      throw failed("unsafe-path", `refused ${join(root, ...levels)}: a symbolic link or a file is where a folder must be`, { cause: error });
    }
    throw error;
  }
}

/** Opens the next level and closes the one above it. */
async function openLevel(folder: SafeFolder, name: string, make: "make" | "find"): Promise<SafeFolder> {
  const path = folder.at(name);
  try {
    if (make === "make") await makeFolder(path);
    return await openFolder(path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } finally {
    await folder.close();
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

async function openFolder(path: string, flags: number): Promise<SafeFolder> {
  if (process.platform === "win32") return openByPath(path, flags);
  const handle = await open(path, constants.O_RDONLY | flags);
  const base = throughDescriptors ? join(descriptors, String(handle.fd)) : path;
  return { at: (name) => join(base, name), sync: () => handle.sync(), close: () => handle.close() };
}

/** Windows opens no folders; its links need a privilege of their own. */
async function openByPath(path: string, flags: number): Promise<SafeFolder> {
  const followed = (flags & constants.O_NOFOLLOW) === 0;
  if (!followed && (await lstat(path)).isSymbolicLink()) throw failed("unsafe-path", `refused ${path}: it is a symbolic link`);
  return { at: (name) => join(path, name), sync: async () => {}, close: async () => {} };
}

/** Opens a regular file of a folder for reading and writing; what is anything else is refused. */
export async function openRegularFile(folder: SafeFolder, name: string, flags: number): Promise<FileHandle> {
  const handle = await open(folder.at(name), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw failed("unsafe-path", `refused ${name}: it is not a regular file`);
}
