import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import { canonicalJson, type Json, type JsonObject } from "../domain/json.ts";
import { plainJson } from "./json-text.ts";
import { mergeLayers } from "./layers.ts";

/** The three registry files as they stand on disk, each entry with the keys it was written with. */
export interface FilesOnDisk {
  readonly curated: readonly JsonObject[];
  readonly discovered: readonly JsonObject[];
  readonly merged: readonly JsonObject[];
}

/** Edits that somebody made in the merged file, which is only ever output: reported with what to write into a manifest or curated file instead. */
export function findSnapshotEdits(files: FilesOnDisk): readonly Diagnostic[] {
  const expected = new Map(mergeLayers(files.discovered, files.curated).map((entry) => [nameIn(entry), entry]));
  const found = files.merged.flatMap((entry): readonly Diagnostic[] => {
    const before = expected.get(nameIn(entry));
    const patch = before === undefined ? entry : changed(before, entry);
    if (Object.keys(patch).length === 0) return [];
    const what = before === undefined ? "was added to" : `was changed (${Object.keys(patch).join(", ")}) in`;
    const message = `${nameIn(entry)} ${what} the merged registry by hand; that file is output and the edit will be overwritten`;
    const remedy = `write this into its manifest or the curated file: ${canonicalJson(plainJson({ ...patch, name: nameIn(entry) }))}`;
    return [{ severity: "warning", code: "registry.snapshot-edited", message, remedy }];
  });
  const kept = new Set(files.merged.map(nameIn));
  const removed = [...expected.keys()]
    .filter((name) => !kept.has(name))
    .map((name): Diagnostic => {
      const message = `${name} was removed from the merged registry by hand; that file is output and the entry will come back`;
      return { severity: "warning", code: "registry.snapshot-edited", message, remedy: "remove its manifest, or take it out of the curated file" };
    });
  return [...found, ...removed].toSorted((a, b) => compareText(a.message, b.message));
}

function nameIn(entry: JsonObject): string {
  const name = entry["name"];
  return typeof name === "string" ? name : "";
}

function changed(before: JsonObject, after: JsonObject): JsonObject {
  const keys = Object.keys(after).filter((key) => text(after[key]) !== text(before[key]) && !(isNothing(after[key]) && isNothing(before[key])));
  return Object.fromEntries(keys.map((key) => [key, after[key] ?? null]));
}

function text(value: Json | undefined): string {
  return canonicalJson(plainJson(value ?? null));
}

function isNothing(value: Json | undefined): boolean {
  return value === undefined || value === null;
}
