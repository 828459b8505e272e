type Sqlite = typeof import("node:sqlite");

let loaded: Sqlite | undefined;

/** Loads `node:sqlite` on first use, without the warning that Node 22 prints for it; all other warnings stay. */
export function sqlite(): Sqlite {
  loaded ??= withoutSqliteWarning(() => process.getBuiltinModule("node:sqlite"));
  return loaded;
}

/** Loading is synchronous, so nothing else can warn while the function is replaced. */
function withoutSqliteWarning<T>(load: () => T): T {
  const original = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = original;
  }
}
