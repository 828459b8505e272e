import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Deprecation, DiscoveredModel, InventoryItem, MemoryChange, Suspicion, Tombstone, Verification } from "../../domain/inventory.ts";

type Values = Readonly<Record<string, string | number | boolean | undefined>>;

interface Change {
  readonly verb: "put" | "remove";
  readonly table: string;
  readonly values: Values;
}

/** Names the fields of a thing; one that is missing here does not type-check. */
function fields<T>(all: Readonly<Record<keyof T, true>>): readonly string[] {
  return Object.keys(all);
}

/** Columns of each table, in the order in which they are written. */
const columns: Readonly<Record<string, readonly string[]>> = {
  inventory: fields<InventoryItem>({
    name: true,
    store: true,
    ref: true,
    contentId: true,
    revision: true,
    contentDigest: true,
    origin: true,
    since: true,
    sizeBytes: true,
    protect: true,
    purgeAfter: true,
    keepLoaded: true,
  }),
  deprecations: fields<Deprecation>({ name: true, store: true, ref: true, since: true, reason: true, confirmations: true }),
  discovered: fields<DiscoveredModel>({ name: true, store: true, ref: true, firstSeen: true }),
  tombstones: fields<Tombstone>({ name: true, store: true, ref: true, contentId: true, sizeBytes: true, purgedAt: true, quarantine: true }),
  verifications: fields<Verification>({ name: true, at: true, level: true, contentDigest: true }),
  suspicions: fields<Suspicion>({ store: true, fingerprint: true, firstSeen: true }),
};

/** Applies changes in order, inside the caller's transaction. */
export function applyChanges(database: DatabaseSync, changes: readonly MemoryChange[]): void {
  const statements = new Map<string, StatementSync>();
  for (const change of changes) {
    if (change.kind === "kept") {
      const { name, store, ref, keepLoaded } = change;
      database.prepare("UPDATE inventory SET keepLoaded = ? WHERE name = ? AND store = ? AND ref = ?").run(toSql(keepLoaded), name, store, ref);
      continue;
    }
    const { verb, table, values } = putOf(change) ?? removalOf(change);
    const names = verb === "put" ? (columns[table] ?? []) : Object.keys(values);
    const sql = verb === "put" ? putSql(table, names) : `DELETE FROM ${table} WHERE ${names.map((name) => `${name} = ?`).join(" AND ")}`;
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, statement);
    statement.run(...names.map((name) => toSql(values[name])));
  }
}

function putOf(change: MemoryChange): Change | undefined {
  switch (change.kind) {
    case "own":
      return { verb: "put", table: "inventory", values: { ...change.item } };
    case "deprecate":
      return { verb: "put", table: "deprecations", values: { ...change.deprecation } };
    case "discover":
      return { verb: "put", table: "discovered", values: { ...change.model } };
    case "bury":
      return { verb: "put", table: "tombstones", values: { ...change.tombstone } };
    case "verified":
      return { verb: "put", table: "verifications", values: { ...change.verification } };
    case "suspect":
      return { verb: "put", table: "suspicions", values: { ...change.suspicion } };
    default:
      return undefined;
  }
}

function removalOf(change: MemoryChange): Change {
  switch (change.kind) {
    case "disown":
      return { verb: "remove", table: "inventory", values: { name: change.name, store: change.store, ref: change.ref } };
    case "undeprecate":
      return { verb: "remove", table: "deprecations", values: { store: change.store, ref: change.ref } };
    case "undiscover":
      return { verb: "remove", table: "discovered", values: { store: change.store, ref: change.ref } };
    case "unsuspect":
      return { verb: "remove", table: "suspicions", values: { store: change.store } };
    default:
      throw new Error(`unknown change ${change.kind}`);
  }
}

function putSql(table: string, names: readonly string[]): string {
  return `INSERT OR REPLACE INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
}

function toSql(value: Values[string]): SQLInputValue {
  if (value === undefined) return null;
  return typeof value === "boolean" ? Number(value) : value;
}
