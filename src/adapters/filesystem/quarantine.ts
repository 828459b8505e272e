import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, link, lstat, open, readlink, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { canonicalJson } from "../../domain/json.ts";
import { containedPath } from "./containment.ts";
import { errnoOf } from "./disk-failure.ts";
import { writeFileDurably } from "./durable-write.ts";
import { ensureFolder, openAnywhere, syncFolder, withFile } from "./open-folder.ts";

/** A file to keep, and its path inside the new quarantine folder. */
export interface KeptFile {
  readonly from: string;
  readonly as: string;
}

/** What a quarantine consists of. */
export interface Quarantine {
  readonly root: string;
  readonly files: readonly KeptFile[];
  readonly note: Readonly<Record<string, string>>;
  readonly keep: "move" | "copy";
}

/** Puts files away: all are in the new folder, durably, before the first original goes. */
export async function putAway({ root, files, note, keep }: Quarantine): Promise<string> {
  const folder = join(root, folderName());
  await ensureFolder(folder, 0o700);
  try {
    await writeFileDurably({ path: join(folder, "note.json"), open: openAnywhere, mode: 0o600 }, `${canonicalJson(note)}\n`);
    for (const file of files) await keepFile(file.from, await containedPath(folder, `files/${file.as}`));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  if (keep === "move") await removeOriginals(files);
  return folder;
}

function folderName(): string {
  const time = new Date()
    .toISOString()
    .replaceAll(/[-:]/g, "")
    .replace(/\.\d+Z$/, "Z");
  return `${time}-${randomBytes(4).toString("hex")}`;
}

async function keepFile(from: string, to: string): Promise<void> {
  await ensureFolder(dirname(to), 0o700);
  if (!(await hardLink(from, to))) await copy(from, to);
  await syncFolder(dirname(to));
}

/** False where the file systems differ or have no hard links. */
async function hardLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (["EXDEV", "EPERM", "ENOTSUP", "EMLINK", "ENOSYS"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

async function copy(from: string, to: string): Promise<void> {
  if ((await lstat(from)).isSymbolicLink()) return symlink(await readlink(from), to);
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await withFile(open(to, "r+"), (file) => file.sync());
}

async function removeOriginals(files: readonly KeptFile[]): Promise<void> {
  for (const { from } of files) await rm(from, { force: true });
  for (const folder of new Set(files.map(({ from }) => dirname(from)))) await syncFolder(folder);
}
