import { constants } from "node:os";
import { failed, HoldfastError, type FailureCode } from "../../domain/failure.ts";

interface Refusal {
  readonly code: FailureCode;
  readonly what: string;
  readonly remedy?: string;
}

const refusals: Readonly<Record<string, Refusal>> = {
  ENOSPC: { code: "disk-full", what: "no space left on the file system", remedy: "free some space there and run again" },
  EDQUOT: { code: "disk-full", what: "the disk quota is used up", remedy: "free some space there and run again" },
  EACCES: { code: "permission", what: "permission denied", remedy: "give this user access to it, or run as the user that owns it" },
  EPERM: { code: "permission", what: "operation not permitted", remedy: "give this user access to it, or run as the user that owns it" },
  EROFS: { code: "permission", what: "the file system is read-only", remedy: "mount it for writing" },
};

/** Turns what the operating system refused into a HoldfastError; `attempt` says what was tried, on which path. */
export function toDiskFailure(error: unknown, attempt: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const errno = errnoOf(error);
  const refusal = errno === undefined ? undefined : refusals[errno];
  if (refusal === undefined) {
    const what = errno ?? (error instanceof Error ? error.message : String(error));
    return failed("unexpected", `${attempt}: ${what}`, { cause: error });
  }
  const { code, what, remedy } = refusal;
  return failed(code, `${attempt}: ${what} (${errno})`, { cause: error, ...(remedy === undefined ? {} : { remedy }) });
}

/** The system's name of an error, such as `ENOENT`; undefined for anything else that was thrown. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  // Node has no name for this one and says "Unknown system error -122".
  if ("errno" in error && error.errno === -constants.errno.EDQUOT) return "EDQUOT";
  return error.code;
}
