import type { Dirent } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { compareText, type Diagnostic } from "../../domain/diagnostic.ts";
import { decodeText, isIgnoredName, isOutside, isYamlName, limits, noManifests, notUtf8, problem, tooLarge, tooManyFiles } from "./project-files.ts";
import type { ProjectPaths, ReadFile, Reading } from "./project-files.ts";
import { readBytes } from "./read-bytes.ts";

/** A file or folder that was found, links resolved. */
interface Place {
  /** Relative to the root, as people see it. */
  readonly path: string;
  readonly realPath: string;
  readonly isFolder: boolean;
}

/** Reads the project as it lies on disk. */
export async function readWorkTree(root: string, paths: ProjectPaths, signal: AbortSignal): Promise<Reading> {
  const reader = new WorkTreeReader(root, await realpath(root), signal);
  const apart = [paths.lock, paths.curated];
  const manifests = await reader.readFolder(paths.manifests, [...apart, paths.policies], noManifests);
  const policies = await reader.readFolder(paths.policies, apart);
  const lock = await reader.readGenerated(paths.lock);
  const curated = await reader.readGenerated(paths.curated);
  return { manifests, policies, lock, curated, problems: reader.problems };
}

class WorkTreeReader {
  readonly problems: Diagnostic[] = [];
  readonly #root: string;
  readonly #realRoot: string;
  readonly #signal: AbortSignal;
  #filesLeft: number = limits.files;

  constructor(root: string, realRoot: string, signal: AbortSignal) {
    this.#root = root;
    this.#realRoot = realRoot;
    this.#signal = signal;
  }

  /** Every YAML file below a folder, sorted by path; a folder that is not there has none, and `absent` may say so. */
  async readFolder(path: string, except: readonly string[], absent?: (path: string) => Diagnostic): Promise<readonly ReadFile[]> {
    const before = this.problems.length;
    const folder = await this.#resolve(path);
    if (folder === undefined) {
      if (absent !== undefined && this.problems.length === before) this.problems.push(absent(path));
      return [];
    }
    const found = await this.#find(folder, except, new Set());
    if (this.#filesLeft < found.length) this.problems.push(tooManyFiles(path));
    const wanted = found.toSorted((a, b) => compareText(a.path, b.path)).slice(0, this.#filesLeft);
    this.#filesLeft -= wanted.length;
    const files: ReadFile[] = [];
    for (const [index, place] of wanted.entries()) {
      // Reading is blocking because that is fastest for small files; the event loop gets its turn in between.
      if (index % 32 === 31) await nextTurn();
      this.#signal.throwIfAborted();
      const file = this.#read(place, limits.manifestBytes);
      if (file !== undefined) files.push(file);
    }
    return files;
  }

  /** One file that may be large because no person writes it; undefined when it is not there. */
  async readGenerated(path: string): Promise<ReadFile | undefined> {
    this.#signal.throwIfAborted();
    // One that was configured to be elsewhere is read there; only what is said to be in the project must not lead out of it.
    const place = await this.#resolve(path, isOutside(path));
    return place === undefined ? undefined : this.#read(place, limits.generatedBytes);
  }

  async #find(folder: Place, except: readonly string[], seen: Set<string>): Promise<readonly Place[]> {
    this.#signal.throwIfAborted();
    // Links may lead to a folder twice, or round in a circle.
    if (seen.has(folder.realPath) || seen.size > limits.files) return [];
    seen.add(folder.realPath);
    const found: Place[] = [];
    for (const entry of await this.#entriesOf(folder)) {
      const path = below(folder.path, entry.name);
      if (except.includes(path) || found.length > limits.files) continue;
      const place = await this.#placeOf(entry, path, folder);
      if (place?.isFolder === true) found.push(...(await this.#find(place, except, seen)));
      else if (place !== undefined && isYamlName(entry.name)) found.push(place);
    }
    return found;
  }

  async #entriesOf(folder: Place): Promise<readonly Dirent[]> {
    try {
      const entries = await readdir(join(this.#realRoot, folder.realPath), { withFileTypes: true });
      return entries.filter(({ name }) => !isIgnoredName(name)).toSorted((a, b) => compareText(a.name, b.name));
    } catch (error) {
      this.#reject(folder.path, error);
      return [];
    }
  }

  /** Only links, and what the file system does not tell apart, need a closer look. */
  async #placeOf(entry: Dirent, path: string, folder: Place): Promise<Place | undefined> {
    if (!entry.isFile() && !entry.isDirectory()) return this.#resolve(path);
    return { path, realPath: below(folder.realPath, entry.name), isFolder: entry.isDirectory() };
  }

  /** Where a path leads; undefined, with a finding unless nothing is there, when it leads nowhere we may read. */
  async #resolve(path: string, anywhere = false): Promise<Place | undefined> {
    const absolute = join(this.#root, path);
    try {
      const target = await realpath(absolute);
      const real = relative(this.#realRoot, target).split(sep).join("/");
      if (anywhere || !(isOutside(path) || isOutside(real))) return { path, realPath: real, isFolder: (await stat(target)).isDirectory() };
      this.problems.push(problem(path, "file.outside-project", `${path} leads out of the project, to ${target}`, "keep it inside the project"));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || (await isLink(absolute))) this.#reject(path, error);
    }
    return undefined;
  }

  #read({ path, realPath }: Place, limit: number): ReadFile | undefined {
    try {
      const bytes = readBytes(join(this.#realRoot, realPath), limit);
      if (bytes === "not a file") this.problems.push(problem(path, "file.not-regular", `${path} is not a regular file`));
      else if (typeof bytes === "number") this.problems.push(tooLarge(path, bytes, limit));
      else {
        const text = decodeText(bytes);
        if (text !== undefined) return { path, realPath, bytes, text };
        this.problems.push(notUtf8(path));
      }
    } catch (error) {
      this.#reject(path, error);
    }
    return undefined;
  }

  #reject(path: string, error: unknown): void {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    this.problems.push(problem(path, "file.unreadable", `${path} could not be read: ${errno}`));
  }
}

function below(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    return false;
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
