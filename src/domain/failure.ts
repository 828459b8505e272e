/** Whether the same attempt may succeed later without a person doing anything. */
export type RetryClass = "transient" | "terminal";

/** The closed set of ways in which talking to the outside can go wrong; decisions are made on it, never on message text. */
export type FailureCode =
  | "unreachable"
  | "timeout"
  | "stalled"
  | "protocol"
  | "not-found"
  | "unauthorized"
  | "gated"
  | "rate-limited"
  | "disk-full"
  | "permission"
  | "integrity"
  | "unsafe-path"
  | "invalid-input"
  | "precondition"
  | "not-refetchable"
  | "conflict"
  | "cancelled"
  | "unsupported"
  | "upstream"
  | "unexpected";

/** An expected failure as data: what went wrong, whether to try again, and what a person can do about it. */
export interface Failure {
  readonly code: FailureCode;
  readonly retry: RetryClass;
  /** One sentence, lower-case start, naming what was attempted and on what. */
  readonly message: string;
  /** The next step for a person, when there is one. */
  readonly remedy?: string;
}

/** The one error class that adapters and use cases throw for expected failures; anything else that is thrown is a bug. */
export class HoldfastError extends Error {
  override readonly name = "HoldfastError";
  readonly failure: Failure;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(failure.message, options);
    this.failure = failure;
  }
}

/** Builds a HoldfastError from its parts; `retry` defaults to terminal. */
export function failed(code: FailureCode, message: string, options: { retry?: RetryClass; remedy?: string; cause?: unknown } = {}): HoldfastError {
  const failure: Failure = {
    code,
    retry: options.retry ?? "terminal",
    message,
    ...(options.remedy === undefined ? {} : { remedy: options.remedy }),
  };
  return new HoldfastError(failure, options.cause === undefined ? undefined : { cause: options.cause });
}

/** Turns anything that was thrown into a Failure, keeping the code of a HoldfastError. */
export function toFailure(error: unknown): Failure {
  if (error instanceof HoldfastError) return error.failure;
  if (error instanceof Error && error.name === "AbortError") return { code: "cancelled", retry: "transient", message: "cancelled" };
  return { code: "unexpected", retry: "terminal", message: error instanceof Error ? error.message : String(error) };
}
