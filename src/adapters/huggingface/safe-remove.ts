import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { systemFiles } from "./cache-walk.ts";
import { errnoOf, onDisk, unlessAbsent } from "./disk-errors.ts";
import { openSafeFolder, type SafeFolder } from "./safe-folder.ts";

/** Removes one file or link below a root, never through a link, and returns the bytes that this frees. Absent is fine. */
export async function removeFile(root: string, path: string): Promise<number> {
  return inFolderOf(root, path, 0, async (folder, name) => {
    const found = await unlessAbsent(lstat(folder.at(name)));
    if (found === undefined) return 0;
    await unlink(folder.at(name));
    await folder.sync();
    return found.isFile() && found.nlink === 1 ? found.size : 0;
  });
}

/** Removes a folder with everything in it, links as links. */
export async function removeTree(root: string, path: string): Promise<void> {
  await inFolderOf(root, path, undefined, async (folder, name) => {
    const found = await unlessAbsent(lstat(folder.at(name)));
    if (found === undefined) return;
    if (!found.isDirectory()) return unlink(folder.at(name));
    const entries = await readdir(folder.at(name));
    for (const entry of entries) await removeTree(root, `${path}/${entry}`);
    await rmdir(folder.at(name));
  });
}

/** Removes a folder and the folders in it as far as they hold no files but those of the operating system. */
export async function removeEmptyFolders(root: string, path: string): Promise<void> {
  await inFolderOf(root, path, undefined, async (folder, name) => {
    const entries = (await unlessAbsent(readdir(folder.at(name), { withFileTypes: true }))) ?? [];
    for (const entry of entries) if (entry.isDirectory()) await removeEmptyFolders(root, `${path}/${entry.name}`);
    const rest = (await unlessAbsent(readdir(folder.at(name)))) ?? [];
    if (rest.every((entry) => systemFiles.has(entry))) for (const entry of rest) await removeFile(root, `${path}/${entry}`);
    await rmdir(folder.at(name)).catch((error: unknown) => {
      if (!["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
    });
  });
}

async function inFolderOf<T>(root: string, path: string, absent: T, action: (folder: SafeFolder, name: string) => Promise<T>): Promise<T> {
  return onDisk(`could not remove ${join(root, path)}`, async () => {
    const levels = path.split("/");
    const name = levels.pop() ?? "";
    const folder = await openSafeFolder(root, levels, "find");
    if (folder === undefined) return absent;
    try {
      return await action(folder, name);
    } finally {
      await folder.close();
    }
  });
}
