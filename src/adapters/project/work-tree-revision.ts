import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { basename } from "node:path/posix";
import type { Diagnostic } from "../../domain/diagnostic.ts";
import { HoldfastError } from "../../domain/failure.ts";
import { isFile, listCommit, resolveCommit, type TreeEntry } from "./commit-tree.ts";
import { gitBlobId, isIgnoredName, isYamlName, placesOf, type ProjectPaths, type ReadFile } from "./project-files.ts";

/** The commit below a work tree, and what it holds where manifests are looked for. */
export type Base =
  | { readonly state: "commit"; readonly commit: string; readonly entries: readonly TreeEntry[] }
  | { readonly state: "none" }
  | { readonly state: "unknown"; readonly finding: Diagnostic };

/** Asks git for the commit that is checked out. Outside a repository git is not even started. */
export async function findBase(root: string, paths: ProjectPaths, signal: AbortSignal): Promise<Base> {
  if (!(await isInRepository(root))) return { state: "none" };
  try {
    const commit = await resolveCommit(root, "HEAD", signal);
    if (commit === undefined) return { state: "none" };
    return { state: "commit", commit, entries: await listCommit({ root, commit, paths: placesOf(paths), sizes: false }, signal) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { message, remedy } = error.failure;
    const finding = { severity: "warning", code: "git.unreadable", message: `the Git revision is unknown: ${message}` } as const;
    return { state: "unknown", finding: remedy === undefined ? finding : { ...finding, remedy } };
  }
}

/**
 * True when the files that were read are not those of the commit. Contents are compared here, byte by byte through git's own names for them: `git
 * status` would run whatever filters the repository configures.
 */
export function isDirty(entries: readonly TreeEntry[], files: readonly ReadFile[], ignored: readonly string[]): boolean {
  const committed = new Map(entries.filter(isFile).map((entry) => [entry.path, entry]));
  if (files.some((file) => !isCommitted(file, committed.get(file.realPath)))) return true;
  const present = new Set([...files.map(({ realPath }) => realPath), ...ignored]);
  return [...committed.keys()].some((path) => isWanted(path) && !present.has(path));
}

function isCommitted({ bytes }: ReadFile, entry: TreeEntry | undefined): boolean {
  if (entry === undefined) return false;
  const format = entry.id.length === 40 ? "sha1" : "sha256";
  if (gitBlobId(bytes, format) === entry.id) return true;
  // A checkout with line endings of Windows is still the same text.
  return bytes.includes(13) && gitBlobId(Buffer.from(Buffer.from(bytes).toString("latin1").replaceAll("\r\n", "\n"), "latin1"), format) === entry.id;
}

/** True for a path that would have been read if it were there. */
function isWanted(path: string): boolean {
  return isYamlName(basename(path)) && !path.split("/").some(isIgnoredName);
}

async function isInRepository(root: string): Promise<boolean> {
  for (let folder = root; ; folder = dirname(folder)) {
    try {
      await lstat(join(folder, ".git"));
      return true;
    } catch {
      if (folder === dirname(folder)) return false;
    }
  }
}
