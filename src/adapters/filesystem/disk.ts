import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Disk } from "../../ports/disk.ts";
import { containedPath } from "./containment.ts";
import { errnoOf, toDiskFailure } from "./disk-failure.ts";
import { placeLink, promoteFile, writeFileDurably, type WriteTarget } from "./durable-write.ts";
import { openAnywhere, openInside } from "./open-folder.ts";
import { putAway } from "./quarantine.ts";
import { removeLeftovers, temporaryName } from "./temporary-name.ts";

/** The disk of this machine; `quarantineRoot` is the folder that keeps what cannot be fetched again. */
export function createDisk({ quarantineRoot }: { readonly quarantineRoot: string }): Disk {
  // A path that was checked once is checked again while its folder is opened for a write: links can be swapped in between.
  const roots = new Map<string, string>();
  const targetOf = (path: string, mode?: number): WriteTarget => {
    const root = roots.get(path);
    return { path, mode, open: root === undefined ? openAnywhere : (folder) => openInside(root, folder) };
  };

  return {
    writeDurable: (path, data, options) => attempt(`could not write ${path}`, () => writeFileDurably(targetOf(path, options?.mode), data)),
    promote: (temporary, final, options) =>
      attempt(`could not move the finished file to ${final}`, () => promoteFile(temporary, targetOf(final, options?.mode))),
    link: (target, path) => attempt(`could not link ${path}`, () => placeLink(target, targetOf(path))),
    temporaryName,
    removeLeftovers: (folder) => attempt(`could not remove unfinished files in ${folder}`, () => removeLeftovers(folder)),
    async contained(root, relative) {
      const path = await attempt(`could not check ${relative} in ${root}`, () => containedPath(root, relative));
      roots.set(path, root);
      return path;
    },
    freeBytes,
    quarantine: (files, note, keep) =>
      attempt(`could not put files into ${quarantineRoot}`, () => putAway({ root: quarantineRoot, files, note, keep })),
  };
}

async function freeBytes(path: string): Promise<number | undefined> {
  for (let place = path; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place);
      return bavail * bsize;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || place === dirname(place)) return undefined;
    }
  }
}

async function attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toDiskFailure(error, what);
  }
}
