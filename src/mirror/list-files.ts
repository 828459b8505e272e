import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { compareText } from "../domain/diagnostic.ts";
import { unsafePathReason } from "../domain/safe-path.ts";
import { identityOf, type FoundFile } from "./mirror-file.ts";

const limits = { depth: 32, files: 100_000 } as const;
/** Of the names that begin with a dot, only those that belong to a repository; `.git`, `.cache` and `.env` do not. */
const shownDotFiles = new Set([".gitattributes", ".gitignore"]);

/** True for a name that is never listed and never served. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") && !shownDotFiles.has(name);
}

/** Where a path really is, or undefined when that is nowhere or outside of the mirrored folder. */
export async function locateInside(root: string, path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (real === root || real.startsWith(root + sep)) ? real : undefined;
}

/** Describes one regular file inside the mirrored folder, or undefined for anything else. */
export async function findFile(root: string, absolute: string, path: string): Promise<FoundFile | undefined> {
  const real = await locateInside(root, absolute);
  const stats = real === undefined ? undefined : await stat(real, { bigint: true }).catch(() => undefined);
  if (real === undefined || stats?.isFile() !== true) return undefined;
  return { path, absolute: real, size: Number(stats.size), identity: identityOf(stats), modifiedAt: stats.mtime };
}

/** All files below a folder that may be served, sorted by path. Links to files are followed inside the mirrored folder, links to folders are not. */
export async function listFiles(root: string, folder: string): Promise<readonly FoundFile[]> {
  const files: FoundFile[] = [];
  await collect({ root, folder, files }, "", 0);
  return files.toSorted((a, b) => compareText(a.path, b.path));
}

interface Walk {
  readonly root: string;
  readonly folder: string;
  readonly files: FoundFile[];
}

async function collect(walk: Walk, prefix: string, depth: number): Promise<void> {
  const entries = await readdir(join(walk.folder, prefix), { withFileTypes: true }).catch((): Dirent[] => []);
  const shown = entries.filter((entry) => !isHidden(entry.name) && unsafePathReason(`${prefix}${entry.name}`) === undefined);
  const isFile = (entry: Dirent): boolean => entry.isFile() || entry.isSymbolicLink();
  const found = await Promise.all(
    shown.filter(isFile).map((entry) => findFile(walk.root, join(walk.folder, prefix, entry.name), `${prefix}${entry.name}`)),
  );
  walk.files.push(...found.filter((file) => file !== undefined));
  if (depth >= limits.depth || walk.files.length > limits.files) return;
  for (const entry of shown) if (entry.isDirectory()) await collect(walk, `${prefix}${entry.name}/`, depth + 1);
}
