import type { DatabaseSync } from "node:sqlite";
import { failed } from "../../domain/failure.ts";

/** Each entry takes a database from the version that is its index to the next; entries that were released never change. */
const migrations: readonly string[] = [
  `
  CREATE TABLE inventory (
    name TEXT NOT NULL, store TEXT NOT NULL, ref TEXT NOT NULL, contentId TEXT, contentDigest TEXT, origin TEXT NOT NULL, since TEXT NOT NULL,
    sizeBytes INTEGER NOT NULL, protect INTEGER NOT NULL, purgeAfter REAL,
    PRIMARY KEY (name, store, ref)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE deprecations (
    name TEXT NOT NULL, store TEXT NOT NULL, ref TEXT NOT NULL, since TEXT NOT NULL, reason TEXT NOT NULL, confirmations INTEGER NOT NULL,
    PRIMARY KEY (store, ref)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE discovered (
    name TEXT NOT NULL, store TEXT NOT NULL, ref TEXT NOT NULL, firstSeen TEXT NOT NULL,
    PRIMARY KEY (store, ref)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tombstones (
    name TEXT NOT NULL, store TEXT NOT NULL, ref TEXT NOT NULL, contentId TEXT, sizeBytes INTEGER NOT NULL, purgedAt TEXT NOT NULL, quarantine TEXT,
    PRIMARY KEY (name, store, ref)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE verifications (
    name TEXT NOT NULL PRIMARY KEY, at TEXT NOT NULL, level TEXT NOT NULL, contentDigest TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE suspicions (
    store TEXT NOT NULL PRIMARY KEY, fingerprint TEXT NOT NULL, firstSeen TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, startedAt TEXT NOT NULL, endedAt TEXT NOT NULL, command TEXT NOT NULL,
    revision TEXT NOT NULL, planDigest TEXT, exitCode INTEGER NOT NULL, plan TEXT, outcomes TEXT
  ) STRICT;
  CREATE TABLE remembered (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE hashes (
    device TEXT NOT NULL, inode TEXT NOT NULL, size INTEGER NOT NULL, mtimeNs TEXT NOT NULL, ctimeNs TEXT NOT NULL, sha256 TEXT NOT NULL,
    at TEXT NOT NULL, PRIMARY KEY (device, inode)
  ) STRICT, WITHOUT ROWID;
  `,
  "ALTER TABLE inventory ADD COLUMN revision TEXT",
  "ALTER TABLE inventory ADD COLUMN keepLoaded TEXT",
];

/** Version of the schema that this program writes. */
export const schemaVersion = migrations.length;

/** Brings a database to the current schema, all of it or nothing. */
export function migrate(database: DatabaseSync, path: string): void {
  if (requireKnownVersion(database, path) === schemaVersion) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have done it while this one waited for the lock.
    for (const migration of migrations.slice(requireKnownVersion(database, path))) database.exec(migration);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** The version of a database; throws when a newer program wrote it, because writing an older schema into it would lose what that one knows. */
export function requireKnownVersion(database: DatabaseSync, path: string): number {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version <= schemaVersion) return version;
  throw failed("unsupported", `the state database ${path} was written by a newer Holdfast (schema ${version}, this one knows ${schemaVersion})`, {
    remedy: "use that version again, or move the file aside to start with an empty memory",
  });
}
