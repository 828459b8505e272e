import { failed, HoldfastError, type FailureCode } from "../../domain/failure.ts";

interface Meaning {
  readonly code: FailureCode;
  readonly text: string;
  readonly remedy?: string;
}

const permission: Meaning = { code: "permission", text: "permission denied", remedy: "give this user access to it, or run as the user that owns it" };
const full: Meaning = { code: "disk-full", text: "no space left", remedy: "free some space there and run again; what was fetched so far is kept" };

const meanings: Readonly<Record<string, Meaning>> = {
  ENOSPC: full,
  EDQUOT: { ...full, text: "the disk quota is used up" },
  EACCES: permission,
  EPERM: permission,
  EROFS: { ...permission, text: "the file system is read-only" },
  // After a failed write or sync nobody knows what is on the disk.
  EIO: { code: "integrity", text: "the disk reports an input/output error", remedy: "check the disk" },
  ELOOP: { code: "unsafe-path", text: "a symbolic link is in the way" },
};

/** The system's name of an error, such as `ENOENT`; undefined for anything else that was thrown. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Turns what the operating system refused into a HoldfastError; `what` names the attempt and the path. */
export function diskFailure(error: unknown, what: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const errno = errnoOf(error) ?? "";
  const meaning = meanings[errno];
  if (meaning === undefined) return failed("unexpected", `${what}: ${errno === "" ? String(error) : errno}`, { cause: error });
  const { code, text, remedy } = meaning;
  return failed(code, `${what}: ${text} (${errno})`, { cause: error, ...(remedy === undefined ? {} : { remedy }) });
}

/** Runs a step on the disk and names it when it fails. */
export async function onDisk<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw diskFailure(error, what);
  }
}

/** The value, or undefined when the path does not exist. */
export async function unlessAbsent<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
