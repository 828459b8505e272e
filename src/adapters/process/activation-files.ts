import { open, readdir, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { failed } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { ActivationFiles } from "../../ports/serving-engine.ts";

/** Far above any record; a larger file is not one of ours. */
const largestFile = 4 * 1024 * 1024;

/** Keeps the files of activations on disk; what it writes survives a crash at any line. */
export function createActivationFiles(disk: Pick<Disk, "writeDurable">): ActivationFiles {
  return {
    read: async (path) => {
      const size = await sizeOf(path);
      if (size === undefined) return undefined;
      if (size > largestFile) throw failed("unsupported", `could not read ${path}: it has ${size} bytes, more than ${largestFile}`);
      return readPiece(path, 0, size);
    },
    write: (path, text, access) => disk.writeDurable(path, text, { mode: access === "private" ? 0o600 : 0o644 }),
    remove: async (path) => {
      await unlessMissing(unlink(path));
      await syncFolder(dirname(path));
    },
    exists: async (path) => (await sizeOf(path)) !== undefined,
    tail: async (path, bytes) => {
      const size = (await sizeOf(path)) ?? 0;
      return size === 0 ? "" : ((await readPiece(path, Math.max(0, size - bytes), Math.min(bytes, size))) ?? "");
    },
    list: async (folder) => (await unlessMissing(readdir(folder))) ?? [],
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await unlessMissing(stat(path)))?.size;
}

async function readPiece(path: string, from: number, length: number): Promise<string | undefined> {
  const file = await unlessMissing(open(path, "r"));
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await unlessMissing(open(path, "r"));
  if (folder === undefined) return;
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
