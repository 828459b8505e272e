import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { compareText } from "../domain/diagnostic.ts";
import { isSha256 } from "../domain/digest.ts";
import { largeContentName, type ContentNames } from "./content-names.ts";
import { decodeTree, type TreeEntry } from "./decode-tree.ts";
import { listFiles, locateInside } from "./list-files.ts";
import { isCommit, type CommitFile, type ContentName, type FoundFile, type MirroredCommit } from "./mirror-file.ts";
import type { ModelLayout } from "./model-layout.ts";

const mostTreeBytes = 64 * 1024 * 1024;

/** `models--<org>--<name>/` of a Hugging Face cache: its commits and refs as they are. */
export function hubCacheModels(root: string, names: ContentNames): ModelLayout {
  const folderOf = (repo: string): Promise<string | undefined> => locateInside(root, join(root, `models--${repo.replaceAll("/", "--")}`));
  return {
    repositories: async () => (await readdir(root).catch((): string[] => [])).flatMap(repositoryId),
    has: async (repo) => {
      const folder = await folderOf(repo);
      return folder !== undefined && (await isFolder(join(folder, "snapshots")));
    },
    refs: async (repo) => {
      const folder = await folderOf(repo);
      return folder === undefined ? new Map() : readRefs(folder);
    },
    commit: async (repo, revision) => {
      const folder = await folderOf(repo);
      if (folder === undefined) return undefined;
      const commit = isCommit(revision) ? revision : await readRef(join(folder, "refs", revision));
      if (commit === undefined || !(await isFolder(join(folder, "snapshots", commit)))) return undefined;
      return readCommit({ repo, root, folder, commit, names });
    },
  };
}

interface CommitToRead {
  readonly repo: string;
  readonly root: string;
  readonly folder: string;
  readonly commit: string;
  readonly names: ContentNames;
}

async function readCommit({ repo, root, folder, commit, names }: CommitToRead): Promise<MirroredCommit> {
  const snapshot = join(folder, "snapshots", commit);
  const found = new Map((await listFiles(root, snapshot)).map((file) => [file.path, file]));
  const tree = await readTree(join(folder, "trees", `${commit}.json`));
  const untold = tree.size > 0 ? [] : [...found.values()];
  const present = await Promise.all(untold.map((file) => describe(file, join(snapshot, file.path), names)));
  // What the commit has and this cache has not is listed all the same: leaving it out would make a part look like the whole.
  const listed = [...tree].map(([path, { size, name }]): CommitFile => {
    const file = found.get(path);
    return { path, size, ...name, ...(file?.size === size ? { found: file } : {}) };
  });
  const { mtime } = await stat(snapshot);
  return { repo, commit, files: [...present, ...listed].toSorted((a, b) => compareText(a.path, b.path)), modifiedAt: mtime };
}

async function describe(found: FoundFile, link: string, names: ContentNames): Promise<CommitFile> {
  const name = (await nameFromLink(found, link)) ?? (await names.nameOf(found));
  return { path: found.path, size: found.size, found, ...name };
}

/** A link of a snapshot leads to a blob that is called as its content is. */
async function nameFromLink(found: FoundFile, link: string): Promise<ContentName | undefined> {
  const blob = basename(await readlink(link).catch(() => ""));
  if (isSha256(blob)) return largeContentName(blob, found.size);
  return isCommit(blob) ? { oid: blob } : undefined;
}

async function readTree(file: string): Promise<ReadonlyMap<string, TreeEntry>> {
  const size = (await stat(file).catch(() => undefined))?.size;
  if (size === undefined || size > mostTreeBytes) return new Map();
  return decodeTree(await readFile(file, "utf8"));
}

async function readRefs(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(join(folder, "refs"), { recursive: true, withFileTypes: true }).catch(() => []);
  const refs = new Map<string, string>();
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const commit = await readRef(path);
    const name = path.slice(join(folder, "refs").length + 1).replaceAll("\\", "/");
    if (commit !== undefined && (await isFolder(join(folder, "snapshots", commit)))) refs.set(name, commit);
  }
  return refs;
}

async function readRef(file: string): Promise<string | undefined> {
  const size = (await stat(file).catch(() => undefined))?.size ?? 0;
  const text = size === 40 ? await readFile(file, "latin1") : "";
  return isCommit(text) ? text : undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

function repositoryId(folder: string): readonly string[] {
  const [, id] = /^models--(.+)$/.exec(folder) ?? [];
  return id === undefined ? [] : [id.replace("--", "/")];
}
