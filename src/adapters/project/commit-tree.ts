import { failed } from "../../domain/failure.ts";
import { askGit, refused } from "./git.ts";

/** One entry of a commit. */
export interface TreeEntry {
  /** Relative to the project root, `/` separators. */
  readonly path: string;
  readonly mode: string;
  /** Name of the content: 40 hex digits in SHA-1 repositories, 64 in SHA-256 ones. */
  readonly id: string;
  /** Bytes; undefined for what is no file, and when sizes were not asked for. */
  readonly size: number | undefined;
}

/** The commit that a revision means; undefined when there is none, as before the first commit. */
export async function resolveCommit(root: string, revision: string, signal: AbortSignal): Promise<string | undefined> {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
  const answer = await askGit({ root, args, signal });
  if (answer.exitCode === 0) return answer.stdout.toString("utf8").trim();
  if (answer.exitCode === 1 && answer.stderr === "") return undefined;
  throw refused(`could not resolve the revision ${JSON.stringify(revision)}`, answer);
}

/** What to list of a commit. Sizes cost a look at every object. */
export interface Listing {
  readonly root: string;
  readonly commit: string;
  /** Files and folders below the project root; `.` is the root itself. */
  readonly paths: readonly string[];
  readonly sizes: boolean;
}

/** What a commit holds at and below some paths of the project. */
export async function listCommit({ root, commit, paths, sizes }: Listing, signal: AbortSignal): Promise<readonly TreeEntry[]> {
  if (paths.length === 0) return [];
  const answer = await askGit({ root, args: ["ls-tree", "-r", ...(sizes ? ["-l"] : []), "-z", commit, "--", ...paths], signal });
  if (answer.exitCode !== 0) throw refused(`could not list the files of ${commit}`, answer);
  const records = answer.stdout.toString("utf8").split("\0");
  return records.filter((record) => record !== "").map(decodeEntry);
}

/** True for regular files, executable or not; links and submodules are no files. */
export function isFile({ mode }: TreeEntry): boolean {
  return mode === "100644" || mode === "100755";
}

/** `<mode> SP <type> SP <object> [SP <size, padded>] TAB <path>`, where the size of a submodule is `-`. */
function decodeEntry(record: string): TreeEntry {
  const match = /^(\d{6}) \w+ ([0-9a-f]{40,64})(?: +(\d+|-))?\t([^]+)$/.exec(record);
  const [, mode, id, size, path] = match ?? [];
  if (mode === undefined || id === undefined || path === undefined)
    throw failed("protocol", `git listed something that is no entry: ${JSON.stringify(record)}`);
  return { path, mode, id, size: size === undefined || size === "-" ? undefined : Number(size) };
}
