import { exitCodes } from "../app/exit-code.ts";
import type { Failure } from "../domain/failure.ts";

/** The exit code for a failure that ended a whole command. */
export function exitCodeOfFailure(failure: Failure): number {
  switch (failure.code) {
    case "conflict":
      return exitCodes.locked;
    case "integrity":
    case "unsafe-path":
      return exitCodes.integrity;
    case "precondition":
      return exitCodes.stale;
    case "unreachable":
    case "timeout":
    case "stalled":
      return exitCodes.unknown;
    case "invalid-input":
      return exitCodes.usage;
    case "cancelled":
      return 130;
    default:
      return exitCodes.unexpected;
  }
}
