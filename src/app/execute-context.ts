import type { Memory } from "../domain/inventory.ts";
import type { Clock } from "../ports/clock.ts";
import type { ProgressSink } from "../ports/progress.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { Connections } from "./host.ts";

/** What the executor is given beside the plan. */
export interface ExecuteContext {
  readonly connections: Connections;
  readonly state: StateStore;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly progress: ProgressSink;
  readonly concurrency: number;
  readonly signal: AbortSignal;
}
