import { readdir, realpath, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { compareText } from "../../domain/diagnostic.ts";
import { failed, HoldfastError, toFailure } from "../../domain/failure.ts";
import type { Holding, Observation, UnreadableHolding, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ModelHeaders } from "../../ports/model-headers.ts";
import type { ModelReader, ObserveRequest } from "../../ports/model-store.ts";
import { proveFiles, type KnownBlobs } from "./cache-prove.ts";
import { scanRepo, type ScannedRepo, type ScannedSnapshot } from "./cache-scan.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { parseHubRef, repoOfFolder } from "./hub-id.ts";
import { mapParallel } from "./parallel.ts";
import { readFacts, type FactsMemory } from "./snapshot-facts.ts";

export interface HubCacheReaderOptions {
  /** `HF_HUB_CACHE`; need not exist. */
  readonly cacheDir: string;
  readonly hasher: FileHasher;
  readonly headers: ModelHeaders | undefined;
  /** Keeps what was learned about bytes that cannot change: facts of snapshots, SHA-256 of Git blobs. */
  readonly memory?: FactsMemory;
}

const parallelRepos = 8;

/** Reads the Hub cache as the Python client, this program and others write it. */
export function createHubCacheReader(options: HubCacheReaderOptions): ModelReader {
  const { cacheDir } = options;
  return {
    store: "huggingface",
    async observe(request, signal) {
      signal.throwIfAborted();
      try {
        return await observeCache(options, request, signal);
      } catch (error) {
        signal.throwIfAborted();
        return { state: "unknown", store: "huggingface", failure: toFailure(error) };
      }
    },
    async inspect(ref, level, signal) {
      signal.throwIfAborted();
      const parsed = parseHubRef(ref);
      if (parsed === undefined) throw failed("invalid-input", `${JSON.stringify(ref)} is not a snapshot of the Hub cache`);
      const cache = await realCache(cacheDir);
      const folders = cache === undefined ? [] : await onDisk(`could not read ${cacheDir}`, () => readdir(cache));
      if (cache === undefined || !folders.some((folder) => repoOfFolder(folder) === parsed.repo)) return undefined;
      const { snapshots, unreadable } = await scanRepo(cache, parsed.repo, parsed.commit);
      const [holding] = await describeAll(snapshots, options, { level }, signal);
      return holding?.holding ?? unreadable[0];
    },
  };
}

async function observeCache(options: HubCacheReaderOptions, request: ObserveRequest, signal: AbortSignal): Promise<Observation> {
  const { cacheDir } = options;
  const cache = await realCache(cacheDir);
  const freeBytes = await freeBytesOf(cacheDir);
  const free = freeBytes === undefined ? {} : { freeBytes };
  if (cache === undefined) return { state: "observed", store: "huggingface", complete: true, holdings: [], unreadable: [], warnings: [], ...free };
  const folders = await onDisk(`could not read ${cacheDir}`, () => readdir(cache));
  const repos = folders.flatMap((folder) => repoOfFolder(folder) ?? []);
  const strange = folders.filter((folder) => folder.startsWith("models--") && repoOfFolder(folder) === undefined);
  const unknown = strange.map((folder) => `${folder} is not the folder of a repository`);
  const scanned = await mapParallel(repos, parallelRepos, signal, (repo) => scanOrFail(cache, repo));
  const described = await describeAll(
    scanned.flatMap((repo) => repo.snapshots),
    options,
    request,
    signal,
  );
  return {
    state: "observed",
    store: "huggingface",
    complete: scanned.every((repo) => repo.complete),
    holdings: described.map(({ holding }) => holding).toSorted((a, b) => compareText(a.ref, b.ref)),
    unreadable: scanned.flatMap((repo) => repo.unreadable).toSorted((a, b) => compareText(a.ref, b.ref)),
    warnings: [...unknown, ...scanned.flatMap((repo) => repo.warnings), ...described.flatMap(({ warnings }) => warnings)].toSorted(compareText),
    ...free,
  };
}

/** One repository that cannot be read hides no other; what it holds is unknown then, so absence proves nothing. */
async function scanOrFail(cache: string, repo: string): Promise<ScannedRepo> {
  try {
    return await scanRepo(cache, repo);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const unreadable: UnreadableHolding = { store: "huggingface", ref: repo, failure: error.failure };
    return { snapshots: [], unreadable: [unreadable], warnings: [], complete: false };
  }
}

async function describeAll(
  snapshots: readonly ScannedSnapshot[],
  options: HubCacheReaderOptions,
  request: ObserveRequest,
  signal: AbortSignal,
): Promise<readonly { readonly holding: Holding; readonly warnings: readonly string[] }[]> {
  const levelOf = (ref: string): VerificationLevel => (request.level === "full" && request.refs?.includes(ref) === false ? "stat" : request.level);
  const proven = await proveFiles(snapshots, { ...options, known: knownBlobs(options.memory), levelOf, progress: request.progress, signal });
  const facts = await readFacts(snapshots, { ...options, level: request.level, signal });
  return snapshots.map((snapshot, index) => {
    const { facts: known, warnings } = facts[index] ?? { facts: { capabilities: {} }, warnings: [] };
    const holding: Holding = {
      store: "huggingface",
      ref: snapshot.ref,
      names: snapshot.names,
      contentId: snapshot.commit,
      artifacts: proven[index] ?? [],
      facts: known,
      location: snapshot.folder,
      modifiedAt: new Date(snapshot.modifiedMs).toISOString(),
    };
    return { holding, warnings };
  });
}

function knownBlobs(memory: FactsMemory | undefined): KnownBlobs | undefined {
  const kind = "git-blob-sha256";
  return memory === undefined ? undefined : { lookup: (ids) => memory.remembered(kind, ids), remember: (entries) => memory.remember(kind, entries) };
}

/** The cache with all links of its own path resolved; undefined when it does not exist. */
async function realCache(cacheDir: string): Promise<string | undefined> {
  return onDisk(`could not find ${cacheDir}`, () => unlessAbsent(realpath(cacheDir)));
}

async function freeBytesOf(path: string): Promise<number | undefined> {
  for (let place = path; ; place = dirname(place)) {
    const found = await statfs(place).catch(() => undefined);
    if (found !== undefined) return found.bavail * found.bsize;
    if (place === dirname(place)) return undefined;
  }
}
