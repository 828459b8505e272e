import type { PullRequest, RemoveRequest, RepairRequest, TagRequest } from "../domain/action.ts";
import type { Holding, Observation, StoreId, UnreadableHolding, VerificationLevel } from "../domain/observed.ts";
import type { ProgressSink } from "./progress.ts";

/** What to look at, and how closely. */
export interface ObserveRequest {
  readonly level: VerificationLevel;
  /** Only these references are hashed at level `full`; undefined = all. Everything is listed in any case. */
  readonly refs?: readonly string[];
  readonly progress?: ProgressSink;
}

/** Reads one store. Never changes anything outside. */
export interface ModelReader {
  readonly store: StoreId;
  /**
   * One snapshot of the store. Never throws for expected failures: what cannot be observed comes back as `unknown`, a single reference that cannot
   * be understood as `unreadable`. Rejects only with the signal's reason.
   */
  observe(request: ObserveRequest, signal: AbortSignal): Promise<Observation>;
  /** A fresh look at one reference: the holding, `undefined` when it is certainly absent. Throws HoldfastError when that cannot be told. */
  inspect(ref: string, level: VerificationLevel, signal: AbortSignal): Promise<Holding | UnreadableHolding | undefined>;
}

/** Everything an operation on a store is given beside its request. */
export interface WriteContext {
  /** Id of the action, repeated in progress events. */
  readonly id: string;
  readonly progress: ProgressSink;
  readonly signal: AbortSignal;
}

/**
 * Changes one store. Every operation is idempotent, verifies what it wrote (all hashes that are known) before it returns, leaves what was good, and
 * throws HoldfastError: `integrity` for wrong bytes, `disk-full` before the first byte where the size is known, `stalled`, `not-found`, `gated`,
 * `unauthorized`, `rate-limited`, `cancelled`, `unsafe-path`, `not-refetchable`.
 */
export interface ModelWriter {
  readonly store: StoreId;
  /** How many operations on this store may run at once (1 for Ollama hosts). */
  readonly concurrency: number;
  /** Fetches the model and returns what is there now, every file hashed. */
  pull(request: PullRequest, context: WriteContext): Promise<Holding>;
  /** Replaces only the bad files; the rest is not transferred again. */
  repair(request: RepairRequest, context: WriteContext): Promise<Holding>;
  /** Copies a name within the store; throws `unsupported` where the store has no names. */
  tag(request: TagRequest, context: WriteContext): Promise<Holding>;
  /** Removes a reference; already absent is success. Unloads it first where a server has it in memory. Returns the bytes freed and, if asked for, where they are kept. */
  remove(request: RemoveRequest, context: WriteContext): Promise<{ readonly freedBytes: number; readonly quarantine?: string }>;
}
