import { realpath } from "node:fs/promises";
import { basename } from "node:path/posix";
import { compareText, type Diagnostic } from "../../domain/diagnostic.ts";
import { failed } from "../../domain/failure.ts";
import { isFile, listCommit, type TreeEntry } from "./commit-tree.ts";
import { askGit, refused } from "./git.ts";
import {
  decodeText,
  isBelow,
  isIgnoredName,
  isYamlName,
  limits,
  noManifests,
  notUtf8,
  placesOf,
  problem,
  tooLarge,
  tooManyFiles,
  type ProjectPaths,
  type ReadFile,
  type Reading,
} from "./project-files.ts";

interface Selection {
  readonly manifests: readonly TreeEntry[];
  readonly policies: readonly TreeEntry[];
  readonly generated: readonly TreeEntry[];
}

const mostBytes = 128 * 1024 * 1024;

/** Reads the project as it is in a commit; the work tree is not looked at. */
export async function readCommit(root: string, commit: string, paths: ProjectPaths, signal: AbortSignal): Promise<Reading> {
  const problems: Diagnostic[] = [];
  const realRoot = await realpath(root);
  const entries = await listCommit({ root: realRoot, commit, paths: placesOf(paths), sizes: true }, signal);
  const isRoot = paths.manifests === "." || paths.manifests === "";
  if (!isRoot && !entries.some(({ path }) => isBelow(paths.manifests, path))) problems.push(noManifests(paths.manifests));
  const { manifests, policies, generated } = select(entries, paths, problems);
  const files = await readBlobs(realRoot, [...manifests, ...policies, ...generated], signal);
  const decode = (wanted: readonly TreeEntry[]): readonly ReadFile[] => wanted.flatMap((entry) => decodeFile(entry, files, problems));
  const [lock, curated] = [paths.lock, paths.curated].map((path) => decode(generated.filter((entry) => entry.path === path))[0]);
  return { manifests: decode(manifests), policies: decode(policies), lock, curated, problems };
}

/** What of a commit would be read in a work tree, and findings about what would be and cannot. */
function select(entries: readonly TreeEntry[], paths: ProjectPaths, problems: Diagnostic[]): Selection {
  const apart = [paths.lock, paths.curated];
  const readable = (entry: TreeEntry, limit: number): boolean => {
    const finding = findingAbout(entry, limit);
    if (finding !== undefined) problems.push(finding);
    return finding === undefined;
  };
  const below = (folder: string, except: readonly string[]): readonly TreeEntry[] => {
    const wanted = entries
      .filter(({ path }) => isBelow(folder, path) && !except.some((other) => isBelow(other, path)))
      .filter(({ path }) => isYamlName(basename(path)) && !relativeParts(folder, path).some(isIgnoredName))
      .toSorted((a, b) => compareText(a.path, b.path));
    if (wanted.length > limits.files) problems.push(tooManyFiles(folder));
    return wanted.slice(0, limits.files).filter((entry) => readable(entry, limits.manifestBytes));
  };
  const policiesInside = isBelow(paths.manifests, paths.policies) && paths.policies !== paths.manifests ? [paths.policies] : [];
  return {
    manifests: below(paths.manifests, [...apart, ...policiesInside]),
    policies: below(paths.policies, apart),
    generated: entries.filter(({ path }) => apart.includes(path)).filter((entry) => readable(entry, limits.generatedBytes)),
  };
}

function findingAbout(entry: TreeEntry, limit: number): Diagnostic | undefined {
  if (!isFile(entry) || entry.size === undefined)
    return problem(entry.path, "file.not-regular", `${entry.path} is not a regular file in this commit`);
  return entry.size > limit ? tooLarge(entry.path, entry.size, limit) : undefined;
}

function relativeParts(folder: string, path: string): readonly string[] {
  return (folder === "" ? path : path.slice(folder.length + 1)).split("/");
}

function decodeFile({ path, id }: TreeEntry, contents: ReadonlyMap<string, Buffer>, problems: Diagnostic[]): readonly ReadFile[] {
  const bytes = contents.get(id);
  if (bytes === undefined) {
    problems.push(problem(path, "file.unreadable", `the content of ${path} is not in this repository`, "fetch the whole repository"));
    return [];
  }
  const text = decodeText(bytes);
  if (text !== undefined) return [{ path, realPath: path, bytes, text }];
  problems.push(notUtf8(path));
  return [];
}

/** The contents of blobs by their id, as they are in the repository; no filter is run. */
async function readBlobs(root: string, entries: readonly TreeEntry[], signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> {
  const ids = [...new Set(entries.map(({ id }) => id))];
  if (ids.length === 0) return new Map();
  if (entries.reduce((sum, { size = 0 }) => sum + size, 0) > mostBytes) {
    throw failed("unsupported", `the manifests of this commit have more than ${mostBytes} bytes together`);
  }
  const answer = await askGit({ root, args: ["cat-file", "--batch"], input: `${ids.join("\n")}\n`, signal });
  if (answer.exitCode !== 0) throw refused("could not read the manifests of this commit", answer);
  return decodeBatch(answer.stdout);
}

/** `<id> SP <type> SP <size> LF <content> LF` for each blob, `<id> SP missing LF` for one that is not there. */
function decodeBatch(output: Buffer): ReadonlyMap<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (let start = 0; start < output.length;) {
    const end = output.indexOf("\n", start);
    const [id = "", type = "", size] = output.toString("utf8", start, end).split(" ");
    start = end + 1;
    if (type === "missing") continue;
    const length = Number(size);
    if (end < 0 || !Number.isSafeInteger(length)) throw failed("protocol", "git gave an answer that is no batch of objects");
    contents.set(id, output.subarray(start, start + length));
    start += length + 1;
  }
  return contents;
}
