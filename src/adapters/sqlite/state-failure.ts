import { constants } from "node:os";
import { failed, HoldfastError, type FailureCode } from "../../domain/failure.ts";

/** Content that no version of Holdfast wrote: treated like a damaged file. */
export class DamagedState extends Error {
  override readonly name = "DamagedState";
}

/** Primary result codes of SQLite. */
const code = { permission: 3, busy: 5, locked: 6, readOnly: 8, inputOutput: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;
const ioErrorShmSize = 4874;

const failureCodes: ReadonlyMap<number, FailureCode> = new Map<number, FailureCode>([
  [code.permission, "permission"],
  [code.busy, "conflict"],
  [code.locked, "conflict"],
  [code.readOnly, "permission"],
  [code.full, "disk-full"],
  [code.cannotOpen, "permission"],
]);

const systemCodes: ReadonlyMap<number, FailureCode> = new Map<number, FailureCode>([
  [constants.errno.ENOSPC, "disk-full"],
  [constants.errno.EDQUOT, "disk-full"],
  [constants.errno.EACCES, "permission"],
  [constants.errno.EPERM, "permission"],
  [constants.errno.EROFS, "permission"],
  // A file where a folder should be.
  [constants.errno.EEXIST, "invalid-input"],
  [constants.errno.ENOTDIR, "invalid-input"],
]);

const remedies: ReadonlyMap<FailureCode, string> = new Map<FailureCode, string>([
  ["disk-full", "free some space there and run again"],
  ["permission", "make the state folder writable for this user, or set paths.state to a folder that is"],
  ["invalid-input", "a file is in the place of the state folder: move it away, or set paths.state to a folder"],
]);

/** True when the database itself is broken, so that a new one has to take its place. */
export function isDamage(error: unknown): boolean {
  const primary = primaryCode(error);
  return error instanceof DamagedState || primary === code.corrupt || primary === code.notADatabase;
}

/** True when the database may not be changed here: a read-only mount, or rights that are missing. */
export function isForbidden(error: unknown): boolean {
  return error instanceof HoldfastError && error.failure.code === "permission";
}

/** True when a call to the disk failed: what this connection believes about the file is not to be trusted any more. */
export function isDiskError(error: unknown): boolean {
  const primary = primaryCode(error);
  return primary === code.inputOutput || primary === code.full;
}

/** True when another process holds the lock that was wanted. */
export function isBusy(error: unknown): boolean {
  const primary = primaryCode(error);
  return primary === code.busy || primary === code.locked;
}

/** Turns what SQLite or the system said into a HoldfastError; anything else that was thrown is a bug and stays as it is. */
export function toStateFailure(error: unknown, attempt: string): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error;
  const result = resultCode(error);
  if (result === undefined && systemNumber(error) === undefined && !(error instanceof DamagedState)) return error;
  const failureCode = codeOf(error, result);
  const remedy = remedies.get(failureCode);
  return failed(failureCode, `${attempt}: ${error.message}`, {
    cause: error,
    ...(failureCode === "conflict" ? { retry: "transient" as const } : {}),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function codeOf(error: Error, result: number | undefined): FailureCode {
  if (result === ioErrorShmSize) return "disk-full";
  const known = result === undefined ? systemCodes.get(systemNumber(error) ?? 0) : failureCodes.get(result & 0xff);
  return known ?? "unexpected";
}

function primaryCode(error: unknown): number | undefined {
  const result = resultCode(error);
  return result === undefined ? undefined : result & 0xff;
}

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined;
}

function systemNumber(error: Error): number | undefined {
  return "errno" in error && typeof error.errno === "number" ? Math.abs(error.errno) : undefined;
}
