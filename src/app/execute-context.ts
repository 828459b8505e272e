import type { DesiredState } from "../domain/desired.ts";
import type { Memory } from "../domain/inventory.ts";
import type { LockFile } from "../domain/lock.ts";
import type { ObservedState } from "../domain/observed.ts";
import type { Clock } from "../ports/clock.ts";
import type { ProgressSink } from "../ports/progress.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { Connections } from "./host.ts";

/** What the executor is given beside the plan. */
export interface ExecuteContext {
  readonly connections: Connections;
  readonly state: StateStore;
  readonly memory: Memory;
  /** What the manifests and the lock file say now: a switch is started from them, not from the plan. */
  readonly desired: DesiredState;
  readonly lock: LockFile;
  /** What this very run observed: enough for actions that only write our own records. */
  readonly observed: ObservedState;
  readonly clock: Clock;
  readonly progress: ProgressSink;
  readonly concurrency: number;
  readonly signal: AbortSignal;
}
