import { open, readdir, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { failed } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { ActivationFiles, GrowingText } from "../../ports/serving-engine.ts";

/** Far above any record; a larger file is not one of ours. */
const largestFile = 4 * 1024 * 1024;

/** Keeps the files of activations on disk; what it writes survives a crash at any line. */
export function createActivationFiles(disk: Pick<Disk, "writeDurable" | "removeLeftovers">): ActivationFiles {
  const tidied = new Set<string>();
  return {
    read: (path) =>
      withOpen(path, async (file) => {
        const { size } = await file.stat();
        if (size > largestFile) throw failed("unsupported", `could not read ${path}: it has ${size} bytes, more than ${largestFile}`);
        return readPiece(file, 0, size);
      }),
    write: async (path, text, access) => {
      await disk.writeDurable(path, text, { mode: access === "private" ? 0o600 : 0o644 });
      const folder = dirname(path);
      if (tidied.has(folder)) return;
      tidied.add(folder);
      // What a killed process left does no harm, and must not keep a switch from going on.
      await disk.removeLeftovers(folder).catch(() => 0);
    },
    remove: async (path) => {
      await unlessMissing(unlink(path));
      await withOpen(dirname(path), (folder) => folder.sync());
    },
    exists: async (path) => (await unlessMissing(stat(path))) !== undefined,
    readFrom: (path, position) => withOpen(path, (file) => readGrowth(file, position)),
    tail: async (path, bytes) => (await withOpen(path, (file) => readGrowth(file, -bytes)))?.text ?? "",
    list: async (folder) => (await unlessMissing(readdir(folder))) ?? [],
  };
}

/** Size and bytes are taken of one open file: by its path it could be replaced in between. */
async function withOpen<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  const file = await unlessMissing(open(path, "r"));
  if (file === undefined) return undefined;
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

const largestPiece = 1024 * 1024;

/** A file that became shorter was written anew, so it is read from its beginning. */
async function readGrowth(file: FileHandle, position: number): Promise<GrowingText> {
  const { dev, ino, size } = await file.stat();
  const from = position > size ? 0 : Math.max(0, position < 0 ? size + position : position);
  const buffer = Buffer.alloc(Math.min(size - from, largestPiece));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
  const whole = wholeCharacters(buffer.subarray(0, bytesRead));
  return { text: buffer.toString("utf8", 0, whole), next: from + whole, file: `${dev}:${ino}` };
}

/** Length without a character whose last bytes are still to come. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

async function readPiece(file: FileHandle, from: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
  return buffer.toString("utf8", 0, bytesRead);
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
