import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ContentNames } from "./content-names.ts";
import { listFiles, locateInside } from "./list-files.ts";
import { isCommit, type CommitFile, type MirroredCommit } from "./mirror-file.ts";
import type { ModelLayout } from "./model-layout.ts";

/** Top-level folders that belong to one of the other layouts. */
const foreign = /^(manifests|blobs|ollama|(models|datasets|spaces|kernels)--.*)$/;

/**
 * `<org>/<name>/` is the branch `main`, `<org>/<name>@<branch>/` another one. The commit is a hash over paths and contents: the same files have the
 * same commit on every machine, and a folder that changes has another one.
 */
export function plainModels(root: string, names: ContentNames): ModelLayout {
  const folderOf = (repo: string, branch: string): Promise<string | undefined> => plainFolder(root, branch === "main" ? repo : `${repo}@${branch}`);
  const commitOf = async (repo: string, branch: string): Promise<MirroredCommit | undefined> => {
    const folder = await folderOf(repo, branch);
    return folder === undefined ? undefined : readCommit(repo, root, folder, names);
  };
  const branchesOf = async (repo: string): Promise<readonly string[]> => {
    if (!isPlainId(repo)) return [];
    const siblings = await readdir(join(root, dirname(repo))).catch((): string[] => []);
    const name = basename(repo);
    const branches = siblings.flatMap((sibling) =>
      sibling === name ? ["main"] : sibling.startsWith(`${name}@`) ? [sibling.slice(name.length + 1)] : [],
    );
    const folders = await Promise.all(branches.map((branch) => folderOf(repo, branch)));
    return branches.filter((_, index) => folders[index] !== undefined).toSorted();
  };
  const refsOf = async (repo: string): Promise<ReadonlyMap<string, string>> => {
    const refs = new Map<string, string>();
    for (const branch of await branchesOf(repo)) {
      const commit = await commitOf(repo, branch);
      if (commit !== undefined) refs.set(branch, commit.commit);
    }
    return refs;
  };
  return {
    repositories: () => plainRepositories(root),
    has: async (repo) => (await branchesOf(repo)).length > 0,
    refs: refsOf,
    commit: async (repo, revision) => {
      if (!isCommit(revision)) return commitOf(repo, revision);
      for (const branch of await branchesOf(repo)) {
        const candidate = await commitOf(repo, branch);
        if (candidate?.commit === revision) return candidate;
      }
      return undefined;
    },
  };
}

async function readCommit(repo: string, root: string, folder: string, names: ContentNames): Promise<MirroredCommit> {
  const found = await listFiles(root, folder);
  const files = await Promise.all(
    found.map(async (file): Promise<CommitFile> => ({ path: file.path, size: file.size, found: file, ...(await names.nameOf(file)) })),
  );
  const listing = files.map((file) => `${file.path}\0${file.size}\0${file.sha256 ?? file.oid}\n`);
  const modifiedAt = new Date(Math.max(0, ...found.map((file) => file.modifiedAt.getTime())));
  return { repo, commit: createHash("sha1").update(listing.join("")).digest("hex"), files, modifiedAt };
}

async function plainFolder(root: string, id: string): Promise<string | undefined> {
  if (!isPlainId(id)) return undefined;
  const folder = await locateInside(root, join(root, id));
  if (folder === undefined) return undefined;
  return (await stat(folder)).isDirectory() ? folder : undefined;
}

function isPlainId(id: string): boolean {
  const [org, name, ...rest] = id.split("/");
  return org !== undefined && name !== undefined && rest.length === 0 && !foreign.test(org) && !org.startsWith(".") && !name.startsWith(".");
}

async function plainRepositories(root: string): Promise<readonly string[]> {
  const organisations = (await readdir(root).catch((): string[] => [])).filter((name) => !foreign.test(name) && !name.startsWith("."));
  const ids = await Promise.all(
    organisations.map(async (organisation) => {
      const children = await readdir(join(root, organisation), { withFileTypes: true }).catch(() => []);
      return children
        .filter((child) => !child.isFile() && !child.name.startsWith("."))
        .map((child) => `${organisation}/${child.name.replace(/@.*$/, "")}`);
    }),
  );
  return [...new Set(ids.flat())];
}
