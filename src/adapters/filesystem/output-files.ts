import { readFile, stat } from "node:fs/promises";
import { failed } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { OutputFiles } from "../../ports/output-files.ts";
import { errnoOf, toDiskFailure } from "./disk-failure.ts";

/** Far above any registry or report; a larger file is not one of ours. */
const largestOutput = 256 * 1024 * 1024;

/** Writes reports and registries through the durable writer of the disk. */
export function createOutputFiles(disk: Pick<Disk, "writeDurable">): OutputFiles {
  return {
    async write(path, text) {
      const size = await sizeOf(path);
      const bytes = Buffer.from(text);
      if (size === bytes.length && (await readBytes(path))?.equals(bytes)) return "unchanged";
      await disk.writeDurable(path, bytes);
      return "written";
    },
    async read(path) {
      const size = await sizeOf(path);
      if (size === undefined) return undefined;
      if (size > largestOutput) throw failed("unsupported", `could not read ${path}: it has ${size} bytes, more than ${largestOutput}`);
      return (await readBytes(path))?.toString("utf8");
    },
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  return unlessMissing(path, async () => (await stat(path)).size);
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  return unlessMissing(path, () => readFile(path));
}

async function unlessMissing<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toDiskFailure(error, `could not read ${path}`);
  }
}
