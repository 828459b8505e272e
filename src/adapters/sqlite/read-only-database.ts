import { existsSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { DatabaseSync } from "node:sqlite";
import { failed } from "../../domain/failure.ts";
import { requireKnownVersion } from "./schema.ts";
import { sqlite } from "./sqlite-module.ts";
import { busyTimeoutMs, type StateDatabase, type StateDatabaseOptions } from "./state-database.ts";
import { isDamage, toStateFailure } from "./state-failure.ts";

/** A database that is read and never created, changed or repaired, not even by the side files that SQLite makes for readers. */
export class ReadOnlyDatabase implements StateDatabase {
  readonly #options: StateDatabaseOptions;

  constructor(options: StateDatabaseOptions) {
    this.#options = options;
  }

  read<T>(attempt: string, query: (database: DatabaseSync) => T, absent: T): T {
    const { path, warn } = this.#options;
    if (!existsSync(path)) return absent;
    try {
      const quiet = this.#readAtRest(query, absent);
      return quiet === undefined ? this.#readFrom(path, query, absent) : quiet.answer;
    } catch (error) {
      if (!isDamage(error)) throw toStateFailure(error, `${attempt} (${path})`);
      const reason = error instanceof Error ? error.message : String(error);
      warn(`the state database ${path} is damaged (${reason}); going on as if nothing were remembered`);
      return absent;
    }
  }

  write(attempt: string): never {
    throw failed("unsupported", `${attempt}: the state database was opened for reading only`);
  }

  keep(): void {}

  close(): void {}

  /** Reads without locks and side files while no process has the database open; undefined when one came in between. */
  #readAtRest<T>(query: (database: DatabaseSync) => T, absent: T): { readonly answer: T } | undefined {
    const { path } = this.#options;
    const before = stamp(path);
    if (before === undefined) return undefined;
    const url = pathToFileURL(path);
    url.searchParams.set("immutable", "1");
    try {
      const answer = this.#readFrom(url, query, absent);
      return stamp(path) === before ? { answer } : undefined;
    } catch (error) {
      if (isDamage(error) && stamp(path) !== before) return undefined;
      throw error;
    }
  }

  #readFrom<T>(location: string | URL, query: (database: DatabaseSync) => T, absent: T): T {
    const database = new (sqlite().DatabaseSync)(location, { timeout: busyTimeoutMs, readOnly: true });
    try {
      // Later versions only add to the first, so what an older Holdfast wrote is read as it is.
      return requireKnownVersion(database, this.#options.path) === 0 ? absent : query(database);
    } finally {
      database.close();
    }
  }
}

/** Changes with every change of the file; undefined while a writer has its log beside it. */
function stamp(path: string): string | undefined {
  if (existsSync(`${path}-wal`)) return undefined;
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
