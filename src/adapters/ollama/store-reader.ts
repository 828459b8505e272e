import { statfs } from "node:fs/promises";
import { compareText } from "../../domain/diagnostic.ts";
import { failed, HoldfastError, toFailure } from "../../domain/failure.ts";
import type { Holding, Observation, StoreId, UnreadableHolding, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ModelHeaders } from "../../ports/model-headers.ts";
import type { ModelReader, ObserveRequest } from "../../ports/model-store.ts";
import { isShown } from "./helper-names.ts";
import { nameKey, readListedName } from "./names.ts";
import { createStoreFactReader } from "./store-facts.ts";
import { holdingOf, inspectBlobs } from "./store-holdings.ts";
import { scanStore, type StoredManifest, type StoreScan } from "./store-scan.ts";

export interface OllamaStoreOptions {
  readonly store: StoreId;
  /** The models directory: the one with `manifests` and `blobs`. */
  readonly directory: string;
  readonly hasher: FileHasher;
  /** Reads context length and the like from weights headers, once per blob; undefined = config blobs only. */
  readonly headers: ModelHeaders | undefined;
}

const progressPause = 250;

/** Reads an Ollama models directory; no server is needed, nothing is written. */
export function createOllamaStoreReader(options: OllamaStoreOptions): ModelReader {
  const { store, directory, hasher, headers } = options;
  const factReader = createStoreFactReader(directory, headers);

  const holdingsOf = async (
    scan: StoreScan,
    request: ObserveRequest,
    signal: AbortSignal,
  ): Promise<{ holdings: readonly Holding[]; warnings: readonly string[] }> => {
    const manifests = scan.manifests.filter(({ ref }) => isShown(ref, request.refs));
    const [states, facts] = await Promise.all([
      inspectBlobs(manifests, { directory, hasher, level: request.level, closely: closelyOf(request), onBytes: reportBytes(store, request) }, signal),
      factReader.read(manifests, signal),
    ]);
    const holdings = manifests.map((manifest) => holdingOf(store, manifest, states, facts.byRef.get(manifest.ref) ?? { capabilities: {} }));
    return { holdings: holdings.toSorted((a, b) => compareText(a.ref, b.ref)), warnings: facts.warnings };
  };

  const observe = async (request: ObserveRequest, signal: AbortSignal): Promise<Observation> => {
    signal.throwIfAborted();
    try {
      const scan = await scanStore(directory, signal);
      const [{ holdings, warnings }, freeBytes] = await Promise.all([holdingsOf(scan, request, signal), freeBytesOf(directory)]);
      const unreadable = scan.unreadable
        .map(({ ref, failure }): UnreadableHolding => ({ store, ref, failure }))
        .toSorted((a, b) => compareText(a.ref, b.ref));
      return {
        state: "observed",
        store,
        complete: true,
        holdings,
        unreadable,
        warnings: [...scan.warnings, ...warnings].toSorted(compareText),
        ...(freeBytes === undefined ? {} : { freeBytes }),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      return { state: "unknown", store, failure: toFailure(error) };
    }
  };

  const inspect = async (ref: string, level: VerificationLevel, signal: AbortSignal): Promise<Holding | UnreadableHolding | undefined> => {
    signal.throwIfAborted();
    const name = readListedName(ref);
    if (name === undefined) throw failed("invalid-input", `${JSON.stringify(ref)} is not an Ollama model name`);
    const scan = await scanStore(directory, signal, name);
    const unreadable = pickSpelling(scan.unreadable, ref);
    const manifest = pickSpelling(scan.manifests, ref);
    if (manifest === undefined || (unreadable?.ref === ref && manifest.ref !== ref))
      return unreadable && { store, ref: unreadable.ref, failure: unreadable.failure };
    const { holdings } = await holdingsOf({ ...scan, manifests: [manifest] }, { level, refs: [manifest.ref] }, signal);
    return holdings[0];
  };

  return { store, observe, inspect };
}

/** The exact spelling if there is one: Ollama finds names without regard to case. */
function pickSpelling<T extends { readonly ref: string }>(found: readonly T[], ref: string): T | undefined {
  return found.find((item) => item.ref === ref) ?? found[0];
}

function closelyOf(request: ObserveRequest): (manifest: StoredManifest) => boolean {
  if (request.refs === undefined) return () => true;
  const keys = new Set(request.refs.map(nameKey));
  return (manifest) => keys.has(nameKey(manifest.ref));
}

function reportBytes(store: StoreId, request: ObserveRequest): (done: number, total: number) => void {
  let last = 0;
  return (done, total) => {
    const now = performance.now();
    if (now - last < progressPause && done < total) return;
    last = now;
    request.progress?.({ type: "progress", id: store, phase: "hashing", done, total });
  };
}

async function freeBytesOf(directory: string): Promise<number | undefined> {
  return statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
}
