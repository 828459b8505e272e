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
  /** Single-port backends, in a table of their own. */
  readonly backends?: readonly BackendRow[];
  /** What Ollama has in memory, in a table of its own. */
  readonly memory?: readonly MemoryRow[];
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

/** One single-port backend in its own table. */
export interface BackendRow {
  readonly name: string;
  readonly declared: string;
  readonly serves: string;
  readonly state: string;
  readonly message: string;
  /** Since when the server runs. */
  readonly since?: Instant;
}

const backendColumns: readonly Column[] = [
  { title: "backend", minimum: 8 },
  { title: "declared", minimum: 8 },
  { title: "serves", minimum: 8 },
  { title: "state", minimum: 8 },
  { title: "since", align: "right" },
  { title: "message", minimum: 20 },
];

function backendsText(rows: readonly BackendRow[], { now, ...table }: Omit<StatusTextOptions, "notes" | "backends">): string {
  if (rows.length === 0) return "";
  const cells = rows.map((row) => [
    row.name,
    row.declared,
    row.serves,
    row.state,
    row.since === undefined ? "" : formatAge(row.since, now),
    row.message,
  ]);
  return `\n${renderTable(backendColumns, cells, table)}\n`;
}

/** One model in the memory of its server, or on its way there. */
export interface MemoryRow {
  readonly name: string;
  /** How long its manifest asks to keep it; empty = it does not ask. */
  readonly wanted: string;
  readonly state: string;
  /** Tokens. */
  readonly contextLength: number | undefined;
  readonly lastUsed: Instant | undefined;
}

const memoryColumns: readonly Column[] = [
  { title: "memory", minimum: 12 },
  { title: "keep" },
  { title: "state", minimum: 20 },
  { title: "context", align: "right" },
  { title: "last used", align: "right" },
];

function memoryText(rows: readonly MemoryRow[], { now, ...table }: Omit<StatusTextOptions, "notes" | "backends" | "memory">): string {
  if (rows.length === 0) return "";
  const cells = rows.map(({ name, wanted, state, contextLength, lastUsed }) => [
    name,
    wanted,
    state,
    contextLength?.toString() ?? "",
    lastUsed === undefined ? "" : `${formatAge(lastUsed, now)} ago`,
  ]);
  return `\n${renderTable(memoryColumns, cells, table)}\n`;
}

/** One row per model, and below it what is not known. */
export function renderStatusText(rows: readonly StatusRow[], options: StatusTextOptions): string {
  const { now, notes = [], backends = [], memory = [], ...table } = options;
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
  return [
    renderTable(columns, cells, table),
    memoryText(memory, { now, ...table }),
    backendsText(backends, { now, ...table }),
    ...notes.map((note) => `${plainText(note)}\n`),
  ].join("");
}
