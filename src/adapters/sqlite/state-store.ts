import type { DatabaseSync } from "node:sqlite";
import { compareText } from "../../domain/diagnostic.ts";
import { emptyMemory, type Memory } from "../../domain/inventory.ts";
import type { Clock } from "../../ports/clock.ts";
import type { HashCache } from "../../ports/hash-cache.ts";
import type { RunRecord, StateStore } from "../../ports/state-store.ts";
import { createHashCache } from "./hash-cache.ts";
import { applyChanges } from "./memory-changes.ts";
import * as rows from "./memory-rows.ts";
import { ReadOnlyDatabase } from "./read-only-database.ts";
import { WritableDatabase } from "./writable-database.ts";
import type { StateDatabase } from "./state-database.ts";

/** Where the state is kept. */
export interface StateStoreOptions {
  /** The database file; its folder is created with the first write. */
  readonly path: string;
  readonly clock: Pick<Clock, "now">;
  /** `read`: nothing is created or changed; without a database the memory is empty. Default `write`. */
  readonly mode?: "read" | "write";
  /** Told when a damaged database was put aside or passed over. */
  readonly warn?: (message: string) => void;
}

/** Runs kept in the history; older ones are forgotten. */
const keptRuns = 500;

const noValues: ReadonlyMap<string, string> = new Map();

/** One database with two faces: the state of the machine and the cache of hashes. Nothing is opened before the first call. */
export function createStateStore(options: StateStoreOptions): { readonly stateStore: StateStore; readonly hashCache: HashCache } {
  const { path, clock, mode = "write", warn = () => {} } = options;
  const database = mode === "read" ? new ReadOnlyDatabase({ path, clock, warn }) : new WritableDatabase({ path, clock, warn });
  return { stateStore: overDatabase(database), hashCache: createHashCache(database) };
}

function overDatabase(database: StateDatabase): StateStore {
  return {
    load: async () => database.read("could not read the memory", loadMemory, emptyMemory),
    async commit(changes) {
      if (changes.length === 0) return;
      database.write("could not record what was done", (open) => applyChanges(open, changes));
    },
    recordRun: async (run) => database.write("could not record the run", (open) => insertRun(open, run)),
    runs: async (limit) => database.read("could not read the history", (open) => newestRuns(open, limit), []),
    remembered: async (kind, keys) => database.read("could not read remembered values", (open) => valuesOf(open, kind, keys), noValues),
    async remember(kind, entries) {
      // A value not remembered is asked for again.
      if (entries.size === 0) return;
      database.keep("could not remember values", (open) => putValues(open, kind, entries));
    },
    close: () => database.close(),
  };
}

function loadMemory(database: DatabaseSync): Memory {
  const all = <T>(table: string, decode: (row: rows.Row) => T, keyOf: (item: T) => string): readonly T[] =>
    database
      .prepare(`SELECT * FROM ${table}`)
      .all()
      .map(decode)
      .toSorted((a, b) => compareText(keyOf(a), keyOf(b)));
  const place = ({ name, store, ref }: { readonly name: string; readonly store: string; readonly ref: string }): string =>
    `${name}\0${store}\0${ref}`;
  return {
    inventory: all("inventory", rows.decodeInventoryItem, place),
    deprecations: all("deprecations", rows.decodeDeprecation, place),
    discovered: all("discovered", rows.decodeDiscoveredModel, place),
    tombstones: all("tombstones", rows.decodeTombstone, place),
    verifications: all("verifications", rows.decodeVerification, ({ name }) => name),
    suspicions: all("suspicions", rows.decodeSuspicion, ({ store }) => store),
  };
}

function insertRun(database: DatabaseSync, run: RunRecord): void {
  database
    .prepare(
      "INSERT OR REPLACE INTO runs (id, startedAt, endedAt, command, revision, planDigest, exitCode, plan, outcomes) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(run.id, run.startedAt, run.endedAt, run.command, run.revision, run.planDigest ?? null, run.exitCode, run.plan ?? null, run.outcomes ?? null);
  database.prepare("DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?").run(keptRuns);
}

function newestRuns(database: DatabaseSync, limit: number): readonly RunRecord[] {
  return database.prepare("SELECT * FROM runs ORDER BY startedAt DESC, number DESC LIMIT ?").all(limit).map(rows.decodeRun);
}

function valuesOf(database: DatabaseSync, kind: string, keys: readonly string[]): ReadonlyMap<string, string> {
  const found = database
    .prepare("SELECT key, value FROM remembered WHERE kind = ? AND key IN (SELECT value FROM json_each(?))")
    .all(kind, JSON.stringify(keys));
  return new Map(found.map((row) => [rows.text(row, "key"), rows.text(row, "value")]));
}

function putValues(database: DatabaseSync, kind: string, entries: ReadonlyMap<string, string>): void {
  const statement = database.prepare("INSERT OR REPLACE INTO remembered (kind, key, value) VALUES (?, ?, ?)");
  for (const [key, value] of entries) statement.run(kind, key, value);
}
