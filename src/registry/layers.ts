import type { Json, JsonObject } from "../domain/json.ts";
import { isJsonObject } from "./json-text.ts";

/** Lays one JSON object over another as ImageWorks does: objects merge, lists and scalars replace, null says nothing. */
export function overlay(base: JsonObject, upper: JsonObject): JsonObject {
  const merged = new Map<string, Json>(Object.entries(base));
  for (const [key, value] of Object.entries(upper)) {
    if (value === null) continue;
    const below = merged.get(key);
    merged.set(key, isJsonObject(value) && isJsonObject(below) ? overlay(below, value) : value);
  }
  return Object.fromEntries(merged);
}

/** The merged snapshot: discovered order with curated laid over by name, then the entries that only curated has, in its order. */
export function mergeLayers(discovered: readonly JsonObject[], curated: readonly JsonObject[]): readonly JsonObject[] {
  const merged = new Map<string, JsonObject>();
  for (const entry of discovered) merged.set(nameIn(entry), entry);
  for (const entry of curated) {
    const below = merged.get(nameIn(entry));
    merged.set(nameIn(entry), below === undefined ? entry : overlay(below, entry));
  }
  return [...merged.values()];
}

function nameIn(entry: JsonObject): string {
  const name = entry["name"];
  return typeof name === "string" ? name.trim() : "";
}
