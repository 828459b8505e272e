import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { PullRequest, RepairRequest } from "../../domain/action.ts";
import type { Sha256 } from "../../domain/digest.ts";
import { failed, HoldfastError } from "../../domain/failure.ts";
import type { Holding, ObservedArtifact } from "../../domain/observed.ts";
import type { Disk } from "../../ports/disk.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { HashCache } from "../../ports/hash-cache.ts";
import type { ModelReader, ModelWriter, WriteContext } from "../../ports/model-store.ts";
import { pullToCache } from "./cache-pull.ts";
import { removeFromCache } from "./cache-remove.ts";
import { diskFailure, onDisk, unlessAbsent } from "./disk-errors.ts";
import { pullToFolder } from "./folder-pull.ts";
import { removeFolder } from "./folder-remove.ts";
import { createHubClient } from "./hub-client.ts";
import { formatHubRef } from "./hub-id.ts";
import type { HubConnection } from "./hub-transport.ts";
import type { PullSettings } from "./pull-files.ts";
import { downloadRetry, metadataRetry, type RetryOptions } from "./retry.ts";

export interface HubWriterOptions extends HubConnection {
  /** `huggingface` writes the Hub cache, `directory` plain folders. */
  readonly store: "huggingface" | "directory";
  /** `HF_HUB_CACHE`. */
  readonly cacheDir: string;
  /** HF_HUB_OFFLINE: nothing is fetched; what needs no fetching works. */
  readonly offline?: boolean;
  readonly disk: Disk;
  readonly hasher: FileHasher;
  /** Remembers what was hashed while streaming; the one that the hasher uses. */
  readonly hashCache?: HashCache;
  /** Reads the same store. */
  readonly reader: ModelReader;
  /** Files fetched at once, one connection each. */
  readonly parallelFiles?: number;
  /** Silence after which a transfer is cut and taken up again. */
  readonly stallTimeoutMs?: number;
  /** Bytes that stay free whatever is fetched. */
  readonly reserveBytes?: number;
  readonly retry?: { readonly metadata?: RetryOptions; readonly download?: RetryOptions };
}

const mebibyte = 1024 * 1024;

/** Writes models from a hub: into the Hub cache, or into plain folders that the Python client recognises. */
export function createHubWriter(options: HubWriterOptions): ModelWriter {
  const settings = settingsOf(options);
  return {
    store: options.store,
    concurrency: 2,
    pull: (request, context) => cancellable(context, () => pull(options, settings, { request, distrusted: new Set() }, context)),
    repair: (request, context) => cancellable(context, () => pull(options, settings, { request, distrusted: new Set(request.bad) }, context)),
    tag: (request) => Promise.reject(failed("unsupported", `${options.store} has no names to give: ${request.from} cannot be tagged ${request.to}`)),
    remove: (request, context) =>
      cancellable(context, async () => {
        if (options.store === "directory") return removeFolder({ request, context, disk: options.disk, reader: options.reader });
        return removeFromCache({ cache: await realCache(options.cacheDir), request, context, disk: options.disk });
      }),
  };
}

function settingsOf(options: HubWriterOptions): PullSettings {
  const stallTimeoutMs = options.stallTimeoutMs ?? 30_000;
  const connection = { ...options, timeouts: { headersMs: stallTimeoutMs * 2, bodyMs: stallTimeoutMs * 2, ...options.timeouts } };
  return {
    client: options.offline === true ? offlineClient : createHubClient(connection, options.retry?.metadata ?? metadataRetry),
    disk: options.disk,
    hasher: options.hasher,
    ...(options.hashCache === undefined ? {} : { hashCache: options.hashCache }),
    parallelFiles: options.parallelFiles ?? 4,
    stallTimeoutMs,
    reserveBytes: options.reserveBytes ?? 256 * mebibyte,
    retry: options.retry?.download ?? downloadRetry,
  };
}

const refuseOffline = (repo: string): Promise<never> =>
  Promise.reject(failed("unreachable", `HF_HUB_OFFLINE is set, so nothing of ${repo} is fetched`, { remedy: "unset HF_HUB_OFFLINE to download" }));

const offlineClient: PullSettings["client"] = {
  revision: (repo) => refuseOffline(repo),
  tree: (repo) => refuseOffline(repo),
  open: ({ repo }) => refuseOffline(repo),
};

interface Order {
  readonly request: PullRequest | RepairRequest;
  /** Paths that are read again, however recently they were proven. */
  readonly distrusted: ReadonlySet<string>;
}

async function pull(options: HubWriterOptions, settings: PullSettings, { request, distrusted }: Order, context: WriteContext): Promise<Holding> {
  if (request.kind !== "huggingface") throw failed("unsupported", `${options.store} holds no Ollama models`);
  const { dir, repo, commit, layout } = request;
  const fits = (layout === "dir") === (options.store === "directory");
  if (!fits) throw failed("invalid-input", `${repo} is planned with the layout ${layout} for ${options.store}`);
  if (layout === "dir") {
    if (dir === undefined) throw failed("invalid-input", `${repo} is planned without a folder`);
    const hashes = await pullToFolder({ dir, request, distrusted, context }, settings);
    return provenHolding(options, dir, hashes, context);
  }
  const hashes = await pullToCache({ cache: await realCache(options.cacheDir), request, distrusted, context }, settings);
  return provenHolding(options, formatHubRef({ repo, commit }), hashes, context);
}

/** What is there now, with the hashes that were computed on the way; only files that nobody asked for are read for this. */
async function provenHolding(options: HubWriterOptions, ref: string, hashes: ReadonlyMap<string, Sha256>, context: WriteContext): Promise<Holding> {
  const { reader, hasher } = options;
  const found = await reader.inspect(ref, "presence", context.signal);
  if (found === undefined) throw failed("integrity", `${ref} vanished while it was written`, { retry: "transient" });
  if ("failure" in found) throw new HoldfastError(found.failure);
  const verifiedAt = new Date().toISOString();
  const artifacts: ObservedArtifact[] = [];
  for (const artifact of found.artifacts) {
    const sha256 = hashes.get(artifact.path);
    if (sha256 === undefined) artifacts.push(await readArtifact(artifact, found, hasher, context));
    else if (artifact.found.state !== "present") throw changed(artifact.path, ref);
    else artifacts.push({ ...artifact, found: { state: "present", level: "full", sha256, verifiedAt } });
  }
  const lost = [...hashes.keys()].find((path) => !artifacts.some((artifact) => artifact.path === path));
  if (lost !== undefined) throw changed(lost, ref);
  return { ...found, artifacts };
}

function changed(path: string, ref: string): HoldfastError {
  return failed("integrity", `${path} of ${ref} was changed while it was written`, { retry: "transient" });
}

async function readArtifact(artifact: ObservedArtifact, holding: Holding, hasher: FileHasher, { signal }: WriteContext): Promise<ObservedArtifact> {
  if (artifact.found.state !== "present" || holding.location === undefined) return artifact;
  const [state] = await hasher.inspect([{ path: join(holding.location, artifact.path), size: artifact.size }], "full", signal);
  return state === undefined ? artifact : { ...artifact, found: state };
}

async function realCache(cacheDir: string): Promise<string> {
  return (await onDisk(`could not find ${cacheDir}`, () => unlessAbsent(realpath(cacheDir)))) ?? cacheDir;
}

async function cancellable<T>(context: WriteContext, operation: () => Promise<T>): Promise<T> {
  try {
    context.signal.throwIfAborted();
    return await operation();
  } catch (error) {
    if (context.signal.aborted) throw failed("cancelled", "cancelled; what was fetched so far is kept", { retry: "transient", cause: error });
    throw diskFailure(error, "writing the model");
  }
}
