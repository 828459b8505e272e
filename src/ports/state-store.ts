import type { Memory, MemoryChange } from "../domain/inventory.ts";
import type { Instant } from "../domain/resource.ts";

/** One pass as it is kept in the history. */
export interface RunRecord {
  readonly id: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly command: string;
  readonly revision: string;
  readonly planDigest?: string;
  readonly exitCode: number;
  /** Canonical JSON of the plan and of the outcomes. */
  readonly plan?: string;
  readonly outcomes?: string;
}

/** Keeps the memory and the history of a machine. */
export interface StateStore {
  load(): Promise<Memory>;
  /** All changes or none, durable when it returns. */
  commit(changes: readonly MemoryChange[]): Promise<void>;
  recordRun(run: RunRecord): Promise<void>;
  /** Newest first. */
  runs(limit: number): Promise<readonly RunRecord[]>;
  /** Small values by key, canonical JSON text; for example what `/api/show` said about a digest. */
  remembered(kind: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  remember(kind: string, entries: ReadonlyMap<string, string>): Promise<void>;
  close(): void;
}
