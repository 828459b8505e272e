import type { Json, JsonObject } from "../domain/json.ts";

declare global {
  interface JSON {
    /** A number that is written exactly as given (ECMAScript "JSON.parse source text access", Node >= 21). */
    rawJSON(text: string): RawNumber;
    isRawJSON(value: unknown): value is RawNumber;
  }
}

/** A number whose text JavaScript would change (`9.0`, `1e6`, 20 digits): foreign entries must come out as they went in. */
export type RawNumber = { readonly rawJSON: string };

/** A number of a registry file; arithmetic goes through `numberOf`. */
export type RegistryNumber = number | RawNumber;

/**
 * Finds numbers that JavaScript might print in another way: final zeros, exponents, many digits, minus zero. It may also hit inside a string, which
 * costs time only.
 */
const unusualNumber = /(?:"\s*:|[[,]|^)\s*-?(?:\d+\.\d*0(?!\d)|\d+(?:\.\d+)?[eE]|[\d.]{16,}|0\.0{6}|(?<=-)0(?![.\d]))/;

/** Parses JSON and keeps the text of numbers that JavaScript would print in another way. Throws SyntaxError. */
export function parseJsonText(text: string): Json {
  const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  // A reviver makes parsing some twenty times slower, and most files need none.
  const value: Json = unusualNumber.test(json) ? JSON.parse(json, keepNumberText) : JSON.parse(json);
  return value;
}

function keepNumberText(_key: string, value: unknown, ...rest: readonly unknown[]): unknown {
  if (typeof value !== "number") return value;
  const context = rest[0];
  const hasSource = typeof context === "object" && context !== null && "source" in context && typeof context.source === "string";
  return hasSource && context.source !== String(value) ? JSON.rawJSON(String(context.source)) : value;
}

/** The text that Python's `json.dump(value, indent=2)` writes, plus a final newline: programs compare registry files byte by byte. */
export function encodeJsonText(value: Json): string {
  const text = JSON.stringify(value, null, 2).replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${text}\n`;
}

export function isRawNumber(value: unknown): value is RawNumber {
  return JSON.isRawJSON(value);
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

/** The value of a JSON number, whichever way it is kept. */
export function numberOf(value: Json | undefined): number | undefined {
  if (typeof value === "number") return value;
  return isRawNumber(value) ? Number(value.rawJSON) : undefined;
}

/** An object without the members that say nothing. */
export function stated(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
}

/** The same value with all numbers as JavaScript numbers, for use outside registry files. */
export function plainJson(value: Json): Json {
  if (isRawNumber(value)) return Number(value.rawJSON);
  if (Array.isArray(value)) return value.map(plainJson);
  return isJsonObject(value) ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainJson(member)])) : value;
}
