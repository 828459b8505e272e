import { open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { compareText } from "../../domain/diagnostic.ts";
import { failed } from "../../domain/failure.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { isCommit } from "./hub-id.ts";

/** One entry of a snapshot that is not a folder. */
export type SnapshotEntry =
  | { readonly kind: "link"; /** Path inside the snapshot. */ readonly path: string; readonly target: string }
  | { readonly kind: "file" | "other"; readonly path: string };

/** Refs of a repository by name, and what is wrong with others. */
export interface Refs {
  readonly commits: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

export interface SnapshotNames {
  readonly commits: readonly string[];
  /** Anything else that lies beside them. */
  readonly others: readonly string[];
}

const mostEntries = 200_000;
const deepest = 64;
/** Files that an operating system leaves in any folder that is looked at. */
export const systemFiles: ReadonlySet<string> = new Set([".DS_Store"]);

/** Every file and link below a folder, sorted by path; links are listed, never followed. */
export async function walkSnapshot(folder: string): Promise<readonly SnapshotEntry[]> {
  const found: SnapshotEntry[] = [];
  const visit = async (prefix: string, depth: number): Promise<void> => {
    if (depth > deepest) throw failed("protocol", `${folder} is nested too deeply`);
    for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (found.length >= mostEntries) throw failed("protocol", `${folder} has more than ${mostEntries} files`);
      if (entry.isDirectory()) await visit(path, depth + 1);
      else if (entry.isSymbolicLink()) found.push({ kind: "link", path, target: await readlink(join(folder, path)) });
      else if (!systemFiles.has(entry.name)) found.push({ kind: entry.isFile() ? "file" : "other", path });
    }
  };
  await onDisk(`could not list ${folder}`, () => visit("", 0));
  return found.toSorted((a, b) => compareText(a.path, b.path));
}

/** Lists the snapshots of a repository. */
export async function listSnapshots(folder: string): Promise<SnapshotNames> {
  const entries = (await onDisk(`could not list ${folder}`, () => unlessAbsent(readdir(folder, { withFileTypes: true })))) ?? [];
  const commits = entries.filter((entry) => isCommit(entry.name) && !entry.isFile()).map((entry) => entry.name);
  const others = entries.map((entry) => entry.name).filter((name) => !commits.includes(name) && !systemFiles.has(name));
  return { commits: commits.toSorted(), others };
}

/** Reads `refs/`, nested names included. */
export async function listRefs(folder: string): Promise<Refs> {
  const commits = new Map<string, string>();
  const warnings: string[] = [];
  const read = async (name: string): Promise<void> => {
    const text = await readShort(join(folder, name));
    const commit = text.trim();
    if (!isCommit(commit)) return void warnings.push(`the ref ${name} in ${folder} does not name a commit`);
    commits.set(name, commit);
    if (text !== commit) warnings.push(`the ref ${name} in ${folder} ends with white space: the Python client does not find its snapshot`);
  };
  const visit = async (prefix: string, depth: number): Promise<void> => {
    for (const entry of (await unlessAbsent(readdir(join(folder, prefix), { withFileTypes: true }))) ?? []) {
      const name = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory() && depth < deepest) await visit(name, depth + 1);
      if (entry.isFile() && !systemFiles.has(entry.name) && !entry.name.startsWith(".holdfast-")) await read(name);
    }
  };
  await onDisk(`could not read ${folder}`, () => visit("", 0));
  return { commits, warnings };
}

async function readShort(path: string): Promise<string> {
  const handle = await open(path, "r");
  try {
    const buffer = Buffer.alloc(128);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
