import { realpath } from "node:fs/promises";
import { relative, resolve, sep } from "node:path";
import { sortDiagnostics } from "../../domain/diagnostic.ts";
import type { Sha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import type { ProjectFiles, ProjectSource, TextFile } from "../../ports/project-source.ts";
import { listCommit, resolveCommit } from "./commit-tree.ts";
import { digestOf, isBelow, isOutside, placesOf, type ProjectPaths, type ReadFile, type Reading } from "./project-files.ts";
import { readCommit } from "./read-commit.ts";
import { readWorkTree } from "./read-work-tree.ts";
import { findBase, isDirty } from "./work-tree-revision.ts";

/** Where a project is, and what belongs to it. Folders and files are relative to the root or absolute, and lie below the root. */
export interface ProjectOptions {
  readonly root: string;
  readonly manifestsDir: string;
  readonly policiesDir: string;
  readonly lockFile: string;
  readonly curatedFile: string;
  /** Read this commit, branch or tag instead of the work tree. */
  readonly revision?: string;
  /**
   * The part of a curated registry that Holdfast did not write, as a text that stays the same while only our part changes; undefined when there is
   * none. What we write is output and must not move the revision. Without this, the whole file counts as input.
   */
  readonly curatedInput?: (text: string) => string | undefined;
}

/** The project in a folder, at the revision that is checked out or at any other. */
export function createProjectSource({ root, revision, curatedInput = (text) => text, ...names }: ProjectOptions): ProjectSource {
  const inside = (path: string): string => relative(root, resolve(root, path)).split(sep).join("/");
  const paths: ProjectPaths = {
    manifests: inside(names.manifestsDir),
    policies: inside(names.policiesDir),
    lock: inside(names.lockFile),
    curated: inside(names.curatedFile),
  };
  return {
    async read(signal) {
      signal.throwIfAborted();
      const place = { root, realRoot: await existing(root), paths, signal };
      return revision === undefined ? readCheckedOut(place, curatedInput) : readRevision(place, revision, curatedInput);
    },
  };
}

interface Place {
  readonly root: string;
  readonly realRoot: string;
  readonly paths: ProjectPaths;
  readonly signal: AbortSignal;
}

type CuratedInput = (text: string) => string | undefined;

async function readRevision({ root, realRoot, paths, signal }: Place, revision: string, curatedInput: CuratedInput): Promise<ProjectFiles> {
  const commit = await resolveCommit(realRoot, revision, signal);
  if (commit === undefined) {
    throw failed("not-found", `there is no revision ${JSON.stringify(revision)} in ${root}`, {
      remedy: "fetch it, or name a commit, branch or tag that is here",
    });
  }
  const { files, digest } = inputOf(await readCommit(realRoot, commit, paths, signal), curatedInput);
  return { ...files, revision: { commit, dirty: false, digest } };
}

async function readCheckedOut({ root, realRoot, paths, signal }: Place, curatedInput: CuratedInput): Promise<ProjectFiles> {
  const [base, reading] = await Promise.all([findBase(realRoot, paths, signal), readWorkTree(root, paths, signal)]);
  const { files, digest, compared } = inputOf(reading, curatedInput);
  if (base.state === "none") return { ...files, revision: { dirty: false, digest } };
  if (base.state === "unknown") return { ...files, revision: { dirty: false, digest }, problems: [...files.problems, base.finding] };
  // Files that were reached through links lie where the listing of the folders did not look.
  const places = placesOf(paths);
  const linked = compared.map(({ realPath }) => realPath).filter((path) => !places.some((place) => isBelow(place, path)));
  const entries = [...base.entries, ...(await listCommit({ root: realRoot, commit: base.commit, paths: linked, sizes: false }, signal))];
  const unread = reading.problems.flatMap(({ location }) => (location === undefined ? [] : [location.file]));
  return { ...files, revision: { commit: base.commit, dirty: isDirty(entries, compared, unread), digest } };
}

interface Input {
  readonly files: Omit<ProjectFiles, "revision">;
  readonly digest: Sha256;
  /** Those whose bytes tell whether the work tree differs from a commit; a file that we write ourselves would always do. */
  readonly compared: readonly ReadFile[];
}

/** What of a reading is input. */
function inputOf(reading: Reading, curatedInput: CuratedInput): Input {
  const { manifests, policies, lock, problems } = reading;
  const curated = curatedPart(reading.curated, curatedInput);
  const others = [...manifests, ...policies, ...(lock === undefined ? [] : [lock])];
  return {
    files: {
      manifests: manifests.map(toTextFile),
      policies: policies.map(toTextFile),
      ...(lock === undefined ? {} : { lock: toTextFile(lock) }),
      ...(curated === undefined ? {} : { curated: toTextFile(curated.file) }),
      problems: sortDiagnostics(problems),
    },
    digest: digestOf(curated === undefined ? others : [...others, { path: curated.file.path, bytes: curated.input }]),
    compared: [...others, ...(curated?.isWhole === true ? [curated.file] : [])].filter(({ realPath }) => !isOutside(realPath)),
  };
}

/** The bytes of a curated registry that count; undefined when all of it is ours. */
function curatedPart(file: ReadFile | undefined, curatedInput: CuratedInput) {
  const input = file === undefined ? undefined : curatedInput(file.text);
  if (file === undefined || input === undefined) return undefined;
  const isWhole = input === file.text;
  return { file, isWhole, input: isWhole ? file.bytes : Buffer.from(input) };
}

function toTextFile({ path, text }: ReadFile): TextFile {
  return { path, text };
}

async function existing(root: string): Promise<string> {
  try {
    return await realpath(root);
  } catch (error) {
    throw failed("not-found", `the project folder ${root} cannot be opened`, { cause: error, remedy: "name an existing folder" });
  }
}
