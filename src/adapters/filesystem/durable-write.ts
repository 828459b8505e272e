import { constants } from "node:fs";
import { lstat, open, readlink, rename, symlink, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { failed } from "../../domain/failure.ts";
import { errnoOf } from "./disk-failure.ts";
import { openAnywhere, withFile, withFolder, type FolderOpener, type OpenFolder } from "./open-folder.ts";
import { temporaryName } from "./temporary-name.ts";

/** How one entry of a folder is to be written. */
export interface WriteTarget {
  readonly path: string;
  readonly open: FolderOpener;
  readonly mode?: number | undefined;
}

/** Replaces a file so that a crash leaves either the old or the new bytes; a link in its place is replaced, not followed. */
export async function writeFileDurably({ path, open: openFolder, mode }: WriteTarget, data: string | Uint8Array): Promise<void> {
  await withFolder(openFolder(dirname(path)), async (folder) => {
    const final = folder.at(basename(path));
    await replaceThrough(folder, path, async (temporary) => {
      const permissions = mode ?? (await permissionsOf(final));
      const handle = open(temporary, "wx", permissions === undefined ? 0o666 : 0o600);
      await withFile(handle, async (file) => {
        await file.writeFile(data);
        if (permissions !== undefined) await file.chmod(permissions);
        await file.sync();
      });
    });
  });
}

/** Gives a finished file its final name; on failure the unfinished one stays where it is. */
export async function promoteFile(temporary: string, { path: final, open: openFolder, mode }: WriteTarget): Promise<void> {
  await withFolder(openFolder(dirname(final)), async (target) => {
    const move = async (source: OpenFolder): Promise<void> => {
      const from = source.at(basename(temporary));
      await syncFile(from, mode);
      await rename(from, target.at(basename(final)));
      await target.sync();
    };
    if (dirname(temporary) === dirname(final)) await move(target);
    else await withFolder(openAnywhere(dirname(temporary)), move);
  });
}

/** Puts a symbolic link in place; one with the same target is left alone. */
export async function placeLink(target: string, { path, open: openFolder }: WriteTarget): Promise<void> {
  await withFolder(openFolder(dirname(path)), async (folder) => {
    if ((await linkTarget(folder.at(basename(path)))) === target) return;
    await replaceThrough(folder, path, (temporary) => symlink(target, temporary));
  });
}

async function replaceThrough(folder: OpenFolder, path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = folder.at(basename(temporaryName(path)));
  try {
    await make(temporary);
    await rename(temporary, folder.at(basename(path)));
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await folder.sync();
}

async function syncFile(path: string, mode: number | undefined): Promise<void> {
  // Windows syncs only what is open for writing; elsewhere the file may well be read-only.
  const flags = process.platform === "win32" ? constants.O_RDWR : constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await withFile(open(path, flags), async (file) => {
    if (!(await file.stat()).isFile()) throw failed("unsafe-path", `refused to move ${basename(path)} to its final name: it is not a regular file`);
    if (mode !== undefined) await file.chmod(mode);
    await file.sync();
  });
}

async function permissionsOf(path: string): Promise<number | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() ? found.mode & 0o777 : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "EINVAL") return undefined;
    throw error;
  }
}
