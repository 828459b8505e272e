import { compareText } from "../domain/diagnostic.ts";
import { canonicalJson, type Json, type JsonObject } from "../domain/json.ts";
import type { RegistryEntry } from "./entry.ts";
import { plainJson } from "./json-text.ts";

/** One key of an entry before and after. */
export interface KeyChange {
  readonly key: string;
  readonly before: Json;
  readonly after: Json;
}

/** What writing a registry would change; sorted by name. */
export interface RegistryChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly { readonly name: string; readonly keys: readonly KeyChange[] }[];
}

/** The keys that say where and in which container the bytes lie: what `normalize-formats` and `rebuild-ollama` bring up to date. */
export const downloadKeys: readonly string[] = [
  "quantization",
  "download_format",
  "download_location",
  "download_path",
  "download_size_bytes",
  "download_files",
  "download_directory_checksum",
];

/** Compares two states of a registry; with `keys`, only these keys of entries that are in both count as changed. */
export function registryChanges(before: readonly RegistryEntry[], after: readonly RegistryEntry[], keys?: readonly string[]): RegistryChanges {
  const old = new Map(before.map((entry) => [entry.name, entry]));
  const now = new Map(after.map((entry) => [entry.name, entry]));
  const names = [...now.keys()].toSorted(compareText);
  return {
    added: names.filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)).toSorted(compareText),
    changed: names.flatMap((name) => {
      const [earlier, later] = [old.get(name), now.get(name)];
      const changes = earlier === undefined || later === undefined ? [] : keyChanges(earlier, later, keys);
      return changes.length === 0 ? [] : [{ name, keys: changes }];
    }),
  };
}

function keyChanges(before: JsonObject, after: JsonObject, keys: readonly string[] | undefined): readonly KeyChange[] {
  const all = keys ?? [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return all.flatMap((key): readonly KeyChange[] => {
    const [earlier, later] = [plainJson(before[key] ?? null), plainJson(after[key] ?? null)];
    return canonicalJson(earlier) === canonicalJson(later) ? [] : [{ key, before: earlier, after: later }];
  });
}
