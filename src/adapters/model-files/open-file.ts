import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { failed, type HoldfastError } from "../../domain/failure.ts";

/** Opens a regular file. Throws HoldfastError when there is none, or it may not be read. */
export async function openForReading(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    throw readFailure(path, cause);
  }
  throw failed("invalid-input", `read the header of ${path}: it is not a regular file`);
}

/** The failure of a file that could not be read. */
export function readFailure(path: string, cause: unknown): HoldfastError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return failed("not-found", `read ${path}: there is no such file`, { cause });
  const denied = code === "EACCES" || code === "EPERM";
  if (denied) return failed("permission", `read ${path}: permission denied`, { cause, remedy: "let the user that runs Holdfast read this file" });
  return failed("unexpected", `read ${path}: ${cause instanceof Error ? cause.message : "failed"}`, { cause });
}
