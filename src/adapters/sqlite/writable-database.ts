import { chmodSync, closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ensureFolder } from "./ensure-folder.ts";
import { ReadOnlyDatabase } from "./read-only-database.ts";
import { migrate } from "./schema.ts";
import { sqlite } from "./sqlite-module.ts";
import { busyTimeoutMs, type StateDatabase, type StateDatabaseOptions } from "./state-database.ts";
import { isDamage, isDiskError, isForbidden, toStateFailure } from "./state-failure.ts";

/** A database that is created when it is missing and, when damaged, put aside for a new one. Where it may not be changed it can still be read. */
export class WritableDatabase implements StateDatabase {
  readonly #options: StateDatabaseOptions;
  readonly #unchanged: ReadOnlyDatabase;
  #open: DatabaseSync | undefined;
  #inode: bigint | undefined;

  constructor(options: StateDatabaseOptions) {
    this.#options = options;
    this.#unchanged = new ReadOnlyDatabase(options);
  }

  read<T>(attempt: string, query: (database: DatabaseSync) => T, absent: T): T {
    try {
      return this.#run(attempt, query);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return this.#unchanged.read(attempt, query, absent);
    }
  }

  write(attempt: string, changes: (database: DatabaseSync) => void): void {
    const wasOpen = this.#open !== undefined;
    try {
      this.#transact(attempt, changes);
    } catch (error) {
      // SQLite opens for reading only what may not be changed, and stays so; a new connection can write if that is allowed by now.
      if (!wasOpen || !isForbidden(error)) throw error;
      this.#transact(attempt, changes);
    }
  }

  keep(attempt: string, changes: (database: DatabaseSync) => void): void {
    try {
      this.write(attempt, changes);
    } catch (error) {
      if (!isForbidden(error)) throw error;
    }
  }

  close(): void {
    const open = this.#open;
    this.#open = undefined;
    open?.close();
  }

  #transact(attempt: string, changes: (database: DatabaseSync) => void): void {
    this.#run(attempt, (database) => {
      database.exec("BEGIN IMMEDIATE");
      try {
        changes(database);
        database.exec("COMMIT");
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  #run<T>(attempt: string, action: (database: DatabaseSync) => T): T {
    try {
      try {
        return action(this.#connect());
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#putAside(error);
        return action(this.#connect());
      }
    } catch (error) {
      const failure = toStateFailure(error, `${attempt} (${this.#options.path})`);
      // After a failed write or sync the file may differ from what this connection holds; a new one reads what is really there.
      if (isDiskError(error) || isForbidden(failure)) this.#abandon();
      throw failure;
    }
  }

  #connect(): DatabaseSync {
    const { path } = this.#options;
    // Somebody may have removed the file under a running daemon; what is written to a removed file is lost.
    if (this.#open !== undefined && this.#inode !== inodeOf(path)) this.#abandon();
    if (this.#open === undefined) {
      this.#open = openDatabase(path);
      this.#inode = inodeOf(path);
    }
    return this.#open;
  }

  /** Closes a connection whose closing may fail as well. */
  #abandon(): void {
    try {
      this.close();
    } catch (error) {
      if (!(error instanceof Error && "errcode" in error)) throw error;
    }
  }

  #putAside(cause: unknown): void {
    this.#abandon();
    const { path, clock, warn } = this.#options;
    const kept = `${path}.damaged-${clock.now().replaceAll(/[^0-9A-Za-z]/g, "")}`;
    for (const suffix of ["", "-wal", "-shm"]) {
      if (existsSync(path + suffix)) renameSync(path + suffix, kept + suffix);
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    warn(
      `the state database ${path} was damaged (${reason}); it is kept as ${kept} and a new one was started. ` +
        "Nothing is owned until it is adopted again, so nothing will be purged",
    );
  }
}

function openDatabase(path: string): DatabaseSync {
  ensureFolder(dirname(path));
  ensurePrivateFile(path);
  const database = new (sqlite().DatabaseSync)(path, { timeout: busyTimeoutMs });
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF");
    migrate(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** SQLite gives its side files the permissions of the database. */
function ensurePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}
