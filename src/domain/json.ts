import { compareText } from "./diagnostic.ts";

/** A JSON value; `null` exists only at this edge. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** The JSON view of plain data: what a JSON reader would get. */
export function toJson(value: object): JsonObject {
  const view: JsonObject = JSON.parse(JSON.stringify(value));
  return view;
}

/** Serialises with keys sorted by code unit and without white space, so that equal values give equal bytes. `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sortKeys(value)) ?? "null";
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => compareText(a, b));
  return Object.fromEntries(entries.map(([key, member]) => [key, sortKeys(member)]));
}
