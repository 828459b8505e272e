import { createHash } from "node:crypto";
import { pointerSize } from "./content-names.ts";
import type { CommitFile, MirroredCommit } from "./mirror-file.ts";

/** One entry of a tree listing. */
export type TreeEntryAnswer = Readonly<Record<string, unknown>> & { readonly path: string };

/** One page of a tree listing. */
export interface TreePage {
  readonly entries: readonly TreeEntryAnswer[];
  /** Path of the last entry, when there are more. */
  readonly next?: string;
}

/** What of the README's front matter the Hub repeats. */
export interface Card {
  readonly license?: string;
}

/** `GET /api/models/{id}`; `blobs` adds size and content names to the files. */
export function modelInfo({ repo, commit, files, modifiedAt }: MirroredCommit, blobs: boolean, card: Card): unknown {
  return {
    _id: commit.slice(0, 24),
    id: repo,
    modelId: repo,
    author: repo.includes("/") ? repo.split("/")[0] : undefined,
    sha: commit,
    lastModified: modifiedAt.toISOString(),
    createdAt: modifiedAt.toISOString(),
    private: false,
    gated: false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: card.license === undefined ? [] : [`license:${card.license}`],
    cardData: card,
    usedStorage: files.reduce((sum, file) => sum + file.size, 0),
    siblings: files.map((file) => (blobs ? sibling(file) : { rfilename: file.path })),
  };
}

/** `GET /api/models/{id}/refs`. */
export function refsAnswer(refs: ReadonlyMap<string, string>): unknown {
  const entry = ([name, targetCommit]: readonly [string, string]): unknown => ({
    name,
    ref: name.startsWith("refs/") ? name : `refs/heads/${name}`,
    targetCommit,
  });
  const all = [...refs].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    branches: all.filter(([name]) => !name.startsWith("refs/")).map(entry),
    converts: [],
    tags: [],
    pullRequests: all.filter(([name]) => name.startsWith("refs/pr/")).map(entry),
  };
}

/** Files and folders below `prefix`, in pages; `after` is the path at which the page before ended. */
export function treePage(
  commit: MirroredCommit,
  options: { prefix: string; recursive: boolean; expand: boolean; after: string; limit: number },
): TreePage {
  const { prefix, recursive, expand, after, limit } = options;
  const inside = commit.files.filter((file) => file.path.startsWith(prefix));
  const shown = inside.filter((file) => recursive || !file.path.slice(prefix.length).includes("/")).map((file) => treeEntry(file, commit, expand));
  const folders = foldersOf(inside, prefix).filter((path) => recursive || !path.slice(prefix.length).includes("/"));
  const entries = [...shown, ...folders.map((path) => folderEntry(path, commit, expand))].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const rest = after === "" ? entries : entries.filter((entry) => entry.path > after);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return rest.length > limit && last !== undefined ? { entries: page, next: last.path } : { entries: page };
}

/** `POST /api/models/{id}/paths-info/{rev}`: what does not exist is left out. */
export function pathsInfo(commit: MirroredCommit, paths: readonly string[], expand: boolean): readonly TreeEntryAnswer[] {
  const wanted = new Set(paths.map((path) => path.replace(/\/+$/, "")));
  const files = commit.files.filter((file) => wanted.has(file.path)).map((file) => treeEntry(file, commit, expand));
  const folders = foldersOf(commit.files, "").filter((path) => wanted.has(path));
  return [...files, ...folders.map((path) => folderEntry(path, commit, expand))];
}

function sibling({ path, size, oid, sha256 }: CommitFile): unknown {
  const lfs = sha256 === undefined ? {} : { lfs: { sha256, size, pointerSize: pointerSize(sha256, size) } };
  return { rfilename: path, size, blobId: oid, ...lfs };
}

function treeEntry({ path, size, oid, sha256 }: CommitFile, commit: MirroredCommit, expand: boolean): TreeEntryAnswer {
  const lfs = sha256 === undefined ? {} : { lfs: { oid: sha256, size, pointerSize: pointerSize(sha256, size) } };
  return { type: "file", oid, size, ...lfs, path, ...(expand ? lastCommit(commit) : {}) };
}

function folderEntry(path: string, commit: MirroredCommit, expand: boolean): TreeEntryAnswer {
  const oid = createHash("sha1").update(`${commit.commit}\0${path}`).digest("hex");
  return { type: "directory", oid, size: 0, path, ...(expand ? lastCommit(commit) : {}) };
}

function lastCommit({ commit, modifiedAt }: MirroredCommit): Readonly<Record<string, unknown>> {
  return { lastCommit: { id: commit, title: "Mirrored folder", date: modifiedAt.toISOString() } };
}

function foldersOf(files: readonly CommitFile[], prefix: string): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    for (let slash = path.indexOf("/", prefix.length); slash >= 0; slash = path.indexOf("/", slash + 1)) folders.add(path.slice(0, slash));
  }
  return [...folders];
}
