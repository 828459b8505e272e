import type { Instant } from "../domain/resource.ts";
import { plainText } from "./escape.ts";
import type { Paint } from "./paint.ts";
import { formatAge, formatBytes } from "./quantities.ts";
import { renderTable, type Column } from "./table.ts";

/** One model in the status table. An undefined value is unknown and shown as `?`; an empty one does not exist and is shown as `-`. */
export interface StatusRow {
  readonly name: string;
  readonly roles: readonly string[];
  readonly desired: string | undefined;
  readonly applied: string | undefined;
  readonly drift: string;
  readonly health: string;
  readonly suspended: boolean;
  readonly sizeBytes: number | undefined;
  /** Since when it is in this state. */
  readonly since?: Instant;
}

export interface StatusTextOptions {
  readonly now: Instant;
  readonly width?: number;
  readonly header?: boolean;
  readonly colour?: Paint;
  /** Sentences below the table, for example why something is unknown. */
  readonly notes?: readonly string[];
}

const columns: readonly Column[] = [
  { title: "name", minimum: 12 },
  { title: "role" },
  { title: "desired", cut: "middle", minimum: 8 },
  { title: "applied", cut: "middle", minimum: 8 },
  { title: "drift", minimum: 8 },
  { title: "health", minimum: 8 },
  { title: "suspended", minimum: 9 },
  { title: "size", align: "right", minimum: 8 },
  { title: "since", align: "right" },
];

/** One row per model, and below it what is not known. */
export function renderStatusText(rows: readonly StatusRow[], options: StatusTextOptions): string {
  const { now, notes = [], ...table } = options;
  const cells = rows.map((row) => [
    row.name,
    row.roles.join(","),
    row.desired ?? "?",
    row.applied ?? "?",
    row.drift,
    row.health,
    row.suspended ? "yes" : "no",
    row.sizeBytes === undefined ? "?" : formatBytes(row.sizeBytes),
    row.since === undefined ? "" : formatAge(row.since, now),
  ]);
  return [renderTable(columns, cells, table), ...notes.map((note) => `${plainText(note)}\n`)].join("");
}
