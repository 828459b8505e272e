import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** The content of a regular file of at most `maxBytes`, or what is there instead. Rejects with the system's error. */
export async function readSmallFile(
  path: string,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly modifiedAt: Date } | "folder" | "odd"> {
  // Non-blocking, so that a FIFO in the store cannot hang us.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (found.isDirectory()) return "folder";
    if (!found.isFile() || found.size > maxBytes) return "odd";
    return { bytes: await file.readFile(), modifiedAt: found.mtime };
  } finally {
    await file.close();
  }
}

/** The system's name of an error, such as `ENOENT`; undefined for anything else that was thrown. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
