import type { Json, JsonObject } from "../domain/json.ts";
import { isJsonObject, numberOf, type RegistryNumber } from "./json-text.ts";

/** Something about one key of an entry that is not as it should be. An `error` makes the entry unusable. */
export interface FieldProblem {
  readonly severity: "error" | "warning" | "note";
  readonly code: string;
  readonly key: string;
  readonly reason: string;
}

/** Receives what is wrong while an entry is read. */
export type Report = (problem: FieldProblem) => void;

const nullStrings = new Set(["none", "null", "ollama://none", "ollama:/none"]);

/** True for texts that an older program wrote where it meant "nothing". */
export function isNullString(text: string): boolean {
  return nullStrings.has(text.trim().toLowerCase());
}

function wrongType(key: string, wanted: string, report: Report): void {
  report({ severity: "error", code: "registry.wrong-type", key, reason: `${key} is not ${wanted}` });
}

function nullWarning(key: string, report: Report): void {
  report({ severity: "warning", code: "registry.null-value", key, reason: `${key} is null, on which ImageWorks stops loading the whole file` });
}

export function readText(value: Json | undefined, key: string, report: Report): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") {
    wrongType(key, "a text", report);
    return undefined;
  }
  if (!isNullString(value)) return value;
  report({ severity: "note", code: "registry.null-string", key, reason: `${key} is the text ${JSON.stringify(value)}, read as nothing` });
  return undefined;
}

/** `strict`: null is wrong here (ImageWorks aborts on it), yet harmless to us. */
export function readObject(value: Json | undefined, key: string, report: Report, strict = false): JsonObject {
  if (value === undefined) return {};
  if (value === null) {
    if (strict) nullWarning(key, report);
    return {};
  }
  if (isJsonObject(value)) return value;
  wrongType(key, "an object", report);
  return {};
}

export function readTexts(value: Json | undefined, key: string, report: Report, strict = false): readonly string[] {
  if (value === undefined) return [];
  if (value === null) {
    if (strict) nullWarning(key, report);
    return [];
  }
  if (!Array.isArray(value)) {
    wrongType(key, "a list", report);
    return [];
  }
  const items: readonly Json[] = value;
  if (items.some((item) => typeof item === "object" && item !== null)) wrongType(key, "a list of texts", report);
  return items
    .filter((item) => typeof item === "string")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

export function readFlag(value: Json | undefined, key: string, report: Report): boolean {
  if (typeof value === "boolean") return value;
  if (value !== undefined && value !== null) wrongType(key, "true or false", report);
  return false;
}

/** A whole number, or undefined. */
export function readCount(value: Json | undefined, key: string, report: Report): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = numberOf(value) ?? (typeof value === "string" && /^\d+$/.test(value) ? Number(value) : undefined);
  if (number !== undefined) return Math.trunc(number);
  wrongType(key, "a number", report);
  return undefined;
}

export function readNumber(value: Json | undefined, key: string, report: Report): RegistryNumber | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return value;
  if (typeof value === "object" && JSON.isRawJSON(value)) return value;
  wrongType(key, "a number", report);
  return null;
}
