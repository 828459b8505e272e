import type { JsonObject } from "../domain/json.ts";
import { encodeEntries } from "./entry.ts";
import { mergeLayers, overlay } from "./layers.ts";

/** What the layers of a registry are made of. */
export interface Layers {
  /** Full entries, in the order in which they are written. */
  readonly discovered: readonly JsonObject[];
  /** Curated entries that somebody else wrote; when there are any, manifests are laid over the discovered entries instead. */
  readonly handWritten: readonly JsonObject[];
  /** What manifests say, as curated entries. */
  readonly manifests: readonly JsonObject[];
}

/** The texts of the discovered file, and of the merged file that ImageWorks would make of both layers. */
export function layerTexts({ discovered, handWritten, manifests }: Layers): { readonly discovered: string; readonly merged: string } {
  const layered = handWritten.length > 0;
  const lower = layered ? mergeKnown(discovered, manifests) : discovered;
  const merged = layered ? mergeKnown(mergeLayers(lower, handWritten), manifests) : mergeLayers(lower, manifests);
  return { discovered: encodeEntries(lower), merged: encodeEntries(merged) };
}

/** Lays manifests over entries; names that only the manifests know are not there, because every declared model has an entry. */
function mergeKnown(lower: readonly JsonObject[], upper: readonly JsonObject[]): readonly JsonObject[] {
  const above = new Map(upper.map((entry) => [entry["name"], entry]));
  return lower.map((entry) => {
    const over = above.get(entry["name"] ?? "");
    return over === undefined ? entry : overlay(entry, over);
  });
}
