import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../ports/clock.ts";

/** A database of this program: opened when it is first needed, damage and system errors turned into what the ports promise. */
export interface StateDatabase {
  /** Runs a query; `absent` is the answer where there is no database. */
  read<T>(attempt: string, query: (database: DatabaseSync) => T, absent: T): T;
  /** Makes all changes or none; they are durable when it returns. */
  write(attempt: string, changes: (database: DatabaseSync) => void): void;
  /** Like `write`, for what can be found out again: goes without where nothing may be written. */
  keep(attempt: string, changes: (database: DatabaseSync) => void): void;
  close(): void;
}

/** Where the database is and who is told about trouble with it. */
export interface StateDatabaseOptions {
  readonly path: string;
  readonly clock: Pick<Clock, "now">;
  /** Told when a damaged database was put aside or passed over. */
  readonly warn: (message: string) => void;
}

/** How long to wait for another process that is writing. */
export const busyTimeoutMs = 5_000;
