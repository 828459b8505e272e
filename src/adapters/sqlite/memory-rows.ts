import type { SQLOutputValue } from "node:sqlite";
import type { Deprecation, DiscoveredModel, InventoryItem, Suspicion, Tombstone, Verification } from "../../domain/inventory.ts";
import type { StoreId, VerificationLevel } from "../../domain/observed.ts";
import type { RunRecord } from "../../ports/state-store.ts";
import { DamagedState } from "./state-failure.ts";

/** A row as SQLite returns it: column name to value. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

export function decodeInventoryItem(row: Row): InventoryItem {
  const [contentId, contentDigest, purgeAfter] = [optionalText(row, "contentId"), optionalText(row, "contentDigest"), row["purgeAfter"]];
  // A database that may not be changed is read with the columns it has.
  const keepLoaded = row["keepLoaded"] === undefined ? undefined : optionalText(row, "keepLoaded");
  const revision = row["revision"] === undefined ? undefined : optionalText(row, "revision");
  return {
    name: text(row, "name"),
    store: store(row),
    ref: text(row, "ref"),
    origin: oneOf(row, "origin", ["pulled", "adopted"] as const),
    since: text(row, "since"),
    sizeBytes: number(row, "sizeBytes"),
    protect: number(row, "protect") === 1,
    ...(contentId === undefined ? {} : { contentId }),
    ...(revision === undefined ? {} : { revision }),
    ...(contentDigest === undefined ? {} : { contentDigest }),
    ...(purgeAfter === null ? {} : { purgeAfter: number(row, "purgeAfter") }),
    ...(keepLoaded === undefined ? {} : { keepLoaded: keepLoaded === "forever" ? keepLoaded : Number(keepLoaded) }),
  };
}

export function decodeDeprecation(row: Row): Deprecation {
  return {
    name: text(row, "name"),
    store: store(row),
    ref: text(row, "ref"),
    since: text(row, "since"),
    reason: oneOf(row, "reason", ["not-in-manifests", "lifecycle", "placeholder", "unmanaged"] as const),
    confirmations: number(row, "confirmations"),
  };
}

export function decodeDiscoveredModel(row: Row): DiscoveredModel {
  return { name: text(row, "name"), store: store(row), ref: text(row, "ref"), firstSeen: text(row, "firstSeen") };
}

export function decodeTombstone(row: Row): Tombstone {
  const [contentId, quarantine] = [optionalText(row, "contentId"), optionalText(row, "quarantine")];
  return {
    name: text(row, "name"),
    store: store(row),
    ref: text(row, "ref"),
    sizeBytes: number(row, "sizeBytes"),
    purgedAt: text(row, "purgedAt"),
    ...(contentId === undefined ? {} : { contentId }),
    ...(quarantine === undefined ? {} : { quarantine }),
  };
}

export function decodeVerification(row: Row): Verification {
  const levels: readonly VerificationLevel[] = ["presence", "stat", "full"];
  return { name: text(row, "name"), at: text(row, "at"), level: oneOf(row, "level", levels), contentDigest: text(row, "contentDigest") };
}

export function decodeSuspicion(row: Row): Suspicion {
  return { store: store(row), fingerprint: text(row, "fingerprint"), firstSeen: text(row, "firstSeen") };
}

export function decodeRun(row: Row): RunRecord {
  const [planDigest, plan, outcomes] = [optionalText(row, "planDigest"), optionalText(row, "plan"), optionalText(row, "outcomes")];
  return {
    id: text(row, "id"),
    startedAt: text(row, "startedAt"),
    endedAt: text(row, "endedAt"),
    command: text(row, "command"),
    revision: text(row, "revision"),
    exitCode: number(row, "exitCode"),
    ...(planDigest === undefined ? {} : { planDigest }),
    ...(plan === undefined ? {} : { plan }),
    ...(outcomes === undefined ? {} : { outcomes }),
  };
}

/** A column that must hold text. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new DamagedState(`column ${column} holds no text`);
  return value;
}

/** A column that holds text or nothing. */
export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column);
}

/** A column that must hold a number. */
export function number(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw new DamagedState(`column ${column} holds no number`);
  return value;
}

function store(row: Row): StoreId {
  const id = text(row, "store");
  if (id === "huggingface" || id === "directory") return id;
  if (id.startsWith("ollama:")) return `ollama:${id.slice("ollama:".length)}`;
  throw new DamagedState(`${JSON.stringify(id)} is no store`);
}

function oneOf<T extends string>(row: Row, column: string, values: readonly T[]): T {
  const found = text(row, column);
  const value = values.find((candidate) => candidate === found);
  if (value === undefined) throw new DamagedState(`${JSON.stringify(found)} is no ${column}`);
  return value;
}
