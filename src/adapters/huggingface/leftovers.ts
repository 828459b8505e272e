import { lstat, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Disk } from "../../ports/disk.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { openSafeFolder } from "./safe-folder.ts";
import { partSuffix } from "./slot.ts";

/** A part that nobody wanted for this long belongs to a download that will not be taken up again. */
const forgottenAfterMs = 24 * 3_600_000;

export interface PartsToKeep {
  readonly root: string;
  readonly folder: readonly string[];
  readonly names: ReadonlySet<string>;
}

/** Removes what dead runs left: unfinished writes in the given folders, and old parts that are not wanted now. Only under the repository's lock. */
export async function removeLeftovers(folders: readonly string[], parts: PartsToKeep, disk: Disk, context: WriteContext): Promise<void> {
  let removed = await removeOldParts(parts);
  for (const folder of new Set(folders)) removed += await disk.removeLeftovers(folder);
  if (removed === 0) return;
  context.progress({ type: "note", id: context.id, message: `removed ${removed} leftover temporary ${removed === 1 ? "file" : "files"}` });
}

async function removeOldParts({ root, folder, names }: PartsToKeep): Promise<number> {
  const path = join(root, ...folder);
  return onDisk(`could not remove old parts in ${path}`, async () => {
    const entries = (await unlessAbsent(readdir(path))) ?? [];
    const candidates = entries.filter((name) => name.endsWith(partSuffix) && !names.has(name));
    if (candidates.length === 0) return 0;
    const opened = await openSafeFolder(root, folder, "find");
    if (opened === undefined) return 0;
    let removed = 0;
    try {
      for (const name of candidates) {
        const found = await unlessAbsent(lstat(opened.at(name)));
        if (found === undefined || Date.now() - found.mtimeMs < forgottenAfterMs) continue;
        await unlink(opened.at(name));
        removed += 1;
      }
    } finally {
      await opened.close();
    }
    return removed;
  });
}
