import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { isSha256 } from "../../domain/digest.ts";
import { compareText } from "../../domain/diagnostic.ts";
import { failed, HoldfastError, type Failure } from "../../domain/failure.ts";
import type { ArtifactState } from "../../domain/observed.ts";
import { readList, readRecords, recordsFolder, type DownloadRecord, type ListedFile } from "./download-records.ts";

/** A file of a folder as far as names and sizes tell. */
export interface ScannedFile {
  readonly path: string;
  readonly size: number;
  readonly blob: string;
  readonly declaredSha256?: string;
  readonly found: ArtifactState;
  /** Absolute path of the regular file with the bytes, when it is there with the declared size. */
  readonly file?: string;
}

export interface ScannedFolder {
  readonly ref: string;
  /** The commit that all downloaded files came from, when the records agree on one. */
  readonly commit?: string;
  readonly files: readonly ScannedFile[];
  readonly modifiedMs: number;
}

interface Seen {
  readonly path: string;
  /** Real path, where the entry leads to a regular file that may be read. */
  readonly file?: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly inode: string;
  readonly state: "file" | "dangling" | "outside";
}

interface Declarations {
  readonly commit?: string;
  readonly records: ReadonlyMap<string, DownloadRecord>;
  readonly listed: ReadonlyMap<string, ListedFile>;
}

const mostFiles = 200_000;
const deepest = 64;
const snapshotFolder = /[/\\]models--[^/\\]+[/\\]snapshots[/\\][0-9a-f]{40}$/;

/** Looks at one plain folder. Undefined when it does not exist or holds no file; throws HoldfastError when that cannot be told. */
export async function scanFolder(ref: string): Promise<ScannedFolder | undefined> {
  const root = await readable(`could not find ${ref}`, () => realpath(ref));
  if (root === undefined) return undefined;
  const seen = (await readable(`could not read ${ref}`, () => walk(root, rootsOf(root)))) ?? [];
  const declarations = await declarationsOf(root);
  const paths = new Set(seen.map((entry) => entry.path));
  const lost = [...declarations.records.keys()].filter((path) => !paths.has(path)).map((path) => missingFile(path, ref, declarations));
  if (seen.length === 0) return undefined;
  return {
    ref,
    ...(declarations.commit === undefined ? {} : { commit: declarations.commit }),
    files: [...seen.map((entry) => describe(entry, ref, declarations)), ...lost].toSorted((a, b) => compareText(a.path, b.path)),
    modifiedMs: Math.max(...seen.map((entry) => entry.modifiedMs)),
  };
}

/** Where links of the folder may lead: into it; for a snapshot of a Hub cache also to its blobs. */
function rootsOf(root: string): readonly string[] {
  if (!snapshotFolder.test(root)) return [root];
  const repo = dirname(dirname(root));
  return [root, join(repo, "blobs"), join(dirname(repo), "blobs")];
}

async function walk(root: string, allowed: readonly string[]): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const visit = async (prefix: string, depth: number): Promise<void> => {
    if (depth > deepest || seen.length > mostFiles) throw failed("protocol", `${root} has too many files or levels`);
    for (const entry of await readdir(join(root, prefix), { withFileTypes: true })) {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (path === recordsFolder) continue;
      if (entry.isDirectory()) await visit(path, depth + 1);
      else if (entry.isFile()) seen.push(await lookAt(path, join(root, path)));
      else if (entry.isSymbolicLink()) seen.push(...(await followLink(path, join(root, path), allowed)));
    }
  };
  await visit("", 0);
  return seen;
}

async function lookAt(path: string, file: string): Promise<Seen> {
  const { size, mtimeMs, dev, ino } = await stat(file);
  return { path, file, size, modifiedMs: mtimeMs, inode: `${dev}:${ino}`, state: "file" };
}

/** A link to a file inside counts as that file; links to folders are left out. */
async function followLink(path: string, link: string, allowed: readonly string[]): Promise<readonly Seen[]> {
  const { mtimeMs } = await lstat(link);
  const nothing = { path, size: 0, modifiedMs: mtimeMs, inode: path };
  const target = await realpath(link).catch(() => undefined);
  if (target === undefined) return [{ ...nothing, state: "dangling" }];
  if (!allowed.some((root) => isInside(root, target))) return [{ ...nothing, state: "outside" }];
  return (await stat(target)).isFile() ? [await lookAt(path, target)] : [];
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

async function declarationsOf(root: string): Promise<Declarations> {
  if (snapshotFolder.test(root)) return { commit: basename(root), records: new Map(), listed: new Map() };
  const records = await readRecords(root);
  const [commit, ...others] = new Set([...records.values()].map((record) => record.commit));
  if (commit === undefined || others.length > 0) return { records, listed: new Map() };
  return { commit, records, listed: await readList(root, commit) };
}

function describe(seen: Seen, ref: string, declarations: Declarations): ScannedFile {
  const { path, inode, state, file } = seen;
  const size = declarations.listed.get(path)?.size ?? seen.size;
  const base = { path, size, blob: state === "file" ? inode : `${ref}/${path}`, ...declaredHash(path, file, declarations) };
  switch (state) {
    case "dangling":
      return { ...base, found: { state: "missing" } };
    case "outside":
      return { ...base, found: { state: "unreadable", failure: leadsOut(path, ref) } };
    case "file":
      if (seen.size !== size) return { ...base, found: { state: "incomplete", size: seen.size } };
      return { ...base, found: { state: "present", level: "presence" }, ...(file === undefined ? {} : { file }) };
  }
}

/** What the record of the download declares, else the name of the blob that a link leads to, else the list of the commit. */
function declaredHash(path: string, file: string | undefined, { records, listed }: Declarations): Pick<ScannedFile, "declaredSha256"> {
  const names = [records.get(path)?.etag, basename(file ?? ""), listed.get(path)?.sha256];
  const declaredSha256 = names.find((name) => name !== undefined && isSha256(name));
  return declaredSha256 === undefined ? {} : { declaredSha256 };
}

function leadsOut(path: string, ref: string): Failure {
  const message = `${path} of ${ref} is a symbolic link that leads out of the folder`;
  return failed("unsafe-path", message, { remedy: "replace the link by the file" }).failure;
}

function missingFile(path: string, ref: string, declarations: Declarations): ScannedFile {
  const size = declarations.listed.get(path)?.size ?? 0;
  return { path, size, blob: `${ref}/${path}`, found: { state: "missing" }, ...declaredHash(path, undefined, declarations) };
}

/** Undefined when the path does not exist; every other refusal is a failure. */
async function readable<T>(what: string, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const errno = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (errno === "ENOENT") return undefined;
    const denied = errno === "EACCES" || errno === "EPERM";
    throw failed(denied ? "permission" : "unexpected", `${what}: ${errno}`, { retry: denied ? "terminal" : "transient", cause: error });
  }
}
