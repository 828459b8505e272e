import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { failed, type Failure, type FailureCode } from "../../domain/failure.ts";
import { canonicalOllamaName, shortOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Instant } from "../../domain/resource.ts";
import { mapBounded } from "./bounded.ts";
import { maxManifestBytes, readManifest, type ManifestContent, type ManifestDocument } from "./manifest-text.ts";
import { nameKey, readListedName } from "./names.ts";
import { errnoOf, readSmallFile } from "./small-file.ts";
import { manifestRoots, type ManifestRoot } from "./store-layout.ts";

/** A manifest that could be read. */
export interface StoredManifest {
  readonly ref: string;
  readonly name: OllamaName;
  readonly path: string;
  readonly modifiedAt: Instant;
  readonly document: ManifestDocument & { readonly content: Extract<ManifestContent, { kind: "image" }> };
}

export interface UnreadableManifest {
  readonly ref: string;
  readonly path: string;
  readonly failure: Failure;
}

export interface StoreScan {
  readonly manifests: readonly StoredManifest[];
  readonly unreadable: readonly UnreadableManifest[];
  readonly warnings: readonly string[];
}

interface Candidate {
  readonly ref: string;
  readonly name: OllamaName;
  readonly path: string;
}

const accessRemedy = "give this user read access to the models directory (group `ollama`)";
const parallelReads = 48;
/** A pull writes the manifest in place: an empty or half one may be whole a moment later. */
const tornPause = 60;

/**
 * Reads every manifest of a models directory, or those of one name. Throws HoldfastError when the directory cannot be listed: then nothing is known,
 * least of all that it is empty.
 */
export async function scanStore(directory: string, signal: AbortSignal, only?: OllamaName): Promise<StoreScan> {
  await requireStore(directory);
  const warnings: string[] = [];
  const found = await Promise.all(manifestRoots.map((root) => candidatesIn(directory, root, only, warnings)));
  signal.throwIfAborted();
  const candidates = [
    ...new Map(
      found
        .toReversed()
        .flat()
        .map((candidate) => [candidate.ref, candidate]),
    ).values(),
  ];
  const read = await mapBounded(candidates, parallelReads, (candidate) => readCandidate(candidate, signal));
  const manifests = read.filter((item) => item !== undefined && "document" in item);
  warnings.push(...caseTwins(candidates));
  return { manifests, unreadable: read.filter((item) => item !== undefined && "failure" in item), warnings };
}

/** A manifest whose blobs nobody can name; the server deletes them together with any other model. */
export function tornManifest(scan: StoreScan): UnreadableManifest | undefined {
  return scan.unreadable.find(({ failure }) => failure.code === "integrity" || failure.code === "unsupported");
}

async function requireStore(directory: string): Promise<void> {
  const present = await Promise.all(["blobs", ...manifestRoots].map((name) => isFolder(join(directory, name))));
  if (present.some(Boolean)) return;
  if (!(await isFolder(directory)))
    throw failed("not-found", `the Ollama models directory ${directory} does not exist`, {
      remedy: "check `spec.store` of the Backend, and that the disk is mounted",
    });
  throw failed("not-found", `${directory} is not an Ollama models directory: it has neither manifests nor blobs`, {
    remedy: "set `spec.store` of the Backend to the folder that holds `manifests` and `blobs`, and check that the disk is mounted",
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false;
    throw cannotRead(path, error);
  }
}

async function candidatesIn(directory: string, root: ManifestRoot, only: OllamaName | undefined, warnings: string[]): Promise<readonly Candidate[]> {
  const levels = only && [only.host, only.namespace, only.model, only.tag];
  let paths: readonly (readonly string[])[] = [[]];
  for (const depth of [0, 1, 2, 3]) {
    const wanted = levels?.[depth];
    const lists = await mapBounded(paths, parallelReads, async (parts) => {
      const names = await namesIn(join(directory, root, ...parts));
      return names.filter((name) => wanted === undefined || nameKey(partOf(root, depth, name)) === nameKey(wanted)).map((name) => [...parts, name]);
    });
    paths = lists.flat();
  }
  return paths.flatMap((parts) => candidateOf(directory, root, parts, warnings));
}

function candidateOf(directory: string, root: ManifestRoot, parts: readonly string[], warnings: string[]): readonly Candidate[] {
  const path = join(directory, root, ...parts);
  const [host, namespace, model, tag] = parts.map((part, depth) => partOf(root, depth, part));
  const name = readListedName(`${host}/${namespace}/${model}:${tag}`);
  if (name !== undefined && name.model === model && name.host === host) return [{ ref: canonicalOllamaName(name), name, path }];
  warnings.push(`${path} is not named like a model; while it is there, Ollama does not clean up at start`);
  return [];
}

/** The newer tree writes `ollama.com` for the default host and escapes the colon of a port. */
function partOf(root: ManifestRoot, depth: number, part: string): string {
  if (root === "manifests" || depth > 0) return part;
  const host = part.replaceAll(/%3A/gi, ":");
  return host === "ollama.com" ? "registry.ollama.ai" : host;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw cannotRead(folder, error);
  }
}

async function readCandidate(candidate: Candidate, signal: AbortSignal): Promise<StoredManifest | UnreadableManifest | undefined> {
  signal.throwIfAborted();
  const { ref, name, path } = candidate;
  try {
    const found = await readTwice(path, signal);
    if (found === "folder") return undefined;
    if (found === "odd") return unreadable(candidate, "unsupported", "it is not a regular file, or larger than any manifest", `look at ${path}`);
    const { document, modifiedAt } = found;
    const { content } = document;
    if (content.kind === "list")
      return unreadable(candidate, "unsupported", "it is a list of manifests, which this version cannot judge", "update Holdfast");
    if (content.kind === "invalid") return unreadable(candidate, "integrity", content.problem, `pull it again: ollama pull ${shortOllamaName(name)}`);
    return { ref, name, path, modifiedAt, document: { ...document, content } };
  } catch (error) {
    signal.throwIfAborted();
    return refused(candidate, error);
  }
}

function unreadable({ ref, path }: Candidate, code: FailureCode, problem: string, remedy: string): UnreadableManifest {
  return { ref, path, failure: failed(code, `the manifest of ${ref} cannot be used: ${problem}`, { remedy }).failure };
}

/** What is gone by now was removed by somebody; what never opens is worth a word. */
async function refused(candidate: Candidate, error: unknown): Promise<UnreadableManifest | undefined> {
  const { path } = candidate;
  if (errnoOf(error) !== "ENOENT")
    return unreadable(candidate, "permission", `${errnoOf(error) ?? String(error)} when reading ${path}`, accessRemedy);
  if (!(await isLink(path))) return undefined;
  const problem = "it is a symbolic link to something that does not exist, which makes the server answer 500 to every listing";
  return unreadable(candidate, "not-found", problem, `remove the link ${path}`);
}

async function readTwice(path: string, signal: AbortSignal): ReturnType<typeof readOnce> {
  const first = await readOnce(path);
  if (typeof first === "string" || first.document.content.kind !== "invalid") return first;
  await sleep(tornPause, undefined, { signal });
  return readOnce(path);
}

async function readOnce(path: string): Promise<{ readonly document: ManifestDocument; readonly modifiedAt: Instant } | "folder" | "odd"> {
  const found = await readSmallFile(path, maxManifestBytes);
  return typeof found === "string" ? found : { document: readManifest(found.bytes), modifiedAt: found.modifiedAt.toISOString() };
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}

function caseTwins(candidates: readonly Candidate[]): readonly string[] {
  const byKey = Map.groupBy(candidates, (candidate) => nameKey(candidate.ref));
  const twins = [...byKey.values()].filter((group) => group.length > 1);
  return twins.map((group) => `${group.map((candidate) => candidate.ref).join(" and ")} differ only in case: Ollama picks either of them at random`);
}

function cannotRead(path: string, error: unknown): Error {
  return failed("permission", `could not read ${path}: ${errnoOf(error) ?? String(error)}`, {
    remedy: accessRemedy,
    cause: error,
  });
}
