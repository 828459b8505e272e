import { join } from "node:path";
import type { WriteContext } from "../../ports/model-store.ts";
import { blobOfLink, sharedBlobOfLink, type RepoPaths } from "./cache-layout.ts";
import { walkSnapshot, type SnapshotEntry } from "./cache-walk.ts";
import { readTreeFile } from "./hub-listing.ts";

/** What lies in the folder of a model: what the model is known to have, and what somebody else put there. */
export interface PartedEntries {
  readonly known: readonly SnapshotEntry[];
  readonly foreign: readonly string[];
}

const mostNames = 10;

/** Of a snapshot only links to blobs and paths that its commit lists are known to be the commit's. */
export async function partSnapshot(cache: string, paths: RepoPaths, commit: string): Promise<PartedEntries> {
  const folder = join(cache, paths.snapshots, commit);
  const listed = new Set(((await readTreeFile(join(cache, paths.tree(commit)))) ?? []).map((file) => file.path));
  const leadsToBlob = (link: string, target: string): boolean =>
    blobOfLink(join(cache, paths.folder), link, target) !== undefined || sharedBlobOfLink(cache, link, target) !== undefined;
  return partEntries(
    await walkSnapshot(folder),
    (entry) => listed.has(entry.path) || (entry.kind === "link" && leadsToBlob(join(folder, entry.path), entry.target)),
  );
}

export function partEntries(entries: readonly SnapshotEntry[], isKnown: (entry: SnapshotEntry) => boolean): PartedEntries {
  return { known: entries.filter(isKnown), foreign: entries.filter((entry) => !isKnown(entry)).map((entry) => entry.path) };
}

/** Says what a removal left in a folder because it is not of the model. */
export function noteForeign(foreign: readonly string[], folder: string, { id, progress }: WriteContext): void {
  if (foreign.length === 0) return;
  const more = foreign.length > mostNames ? ` and ${foreign.length - mostNames} more` : "";
  const what = foreign.length === 1 ? "1 file that is" : `${foreign.length} files that are`;
  progress({ type: "note", id, message: `left ${what} not of the model in ${folder}: ${foreign.slice(0, mostNames).join(", ")}${more}` });
}
