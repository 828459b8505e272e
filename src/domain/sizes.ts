import type { Holding, Observation, StoreId } from "./observed.ts";
import type { UpstreamFile } from "./upstream.ts";

/** The key under which a store keeps the bytes of an upstream file; equal to `ObservedArtifact.blob` of the same bytes. */
export function blobKey(store: StoreId, repo: string | undefined, file: UpstreamFile): string {
  if (store.startsWith("ollama:") || repo === undefined) return file.path;
  return `${repo}:${file.sha256 ?? file.blobId ?? file.path}`;
}

/** Bytes still to be transferred for files, each blob counted once and those that are here with their full size left out. */
export function bytesToDownload(files: readonly { readonly size: number; readonly blob: string }[], observation: Observation | undefined): number {
  const present = presentBlobs(observation);
  const wanted = new Map(files.filter((file) => !present.has(file.blob)).map((file) => [file.blob, file.size]));
  return sum(wanted.values());
}

function presentBlobs(observation: Observation | undefined): ReadonlySet<string> {
  if (observation?.state !== "observed") return new Set();
  const artifacts = observation.holdings.flatMap((holding) => holding.artifacts);
  return new Set(artifacts.filter((artifact) => artifact.found.state === "present").map((artifact) => artifact.blob));
}

/**
 * Bytes that become free when holdings are removed one after the other: a blob counts with the removal that takes its last user away.
 * Returns one number per removed holding, in their order.
 */
export function bytesToFree(removed: readonly Holding[], all: readonly Holding[]): readonly number[] {
  const users = new Map<string, number>();
  for (const holding of all)
    for (const blob of blobsOf(holding).keys()) users.set(`${holding.store}|${blob}`, (users.get(`${holding.store}|${blob}`) ?? 0) + 1);
  return removed.map((holding) => {
    let freed = 0;
    for (const [blob, size] of blobsOf(holding)) {
      const key = `${holding.store}|${blob}`;
      const left = (users.get(key) ?? 1) - 1;
      users.set(key, left);
      if (left === 0) freed += size;
    }
    return freed;
  });
}

function blobsOf(holding: Holding): ReadonlyMap<string, number> {
  return new Map(
    holding.artifacts.flatMap(({ blob, size, found }) =>
      found.state === "present" ? [[blob, size] as const] : found.state === "incomplete" ? [[blob, found.size] as const] : [],
    ),
  );
}

/** Size of a holding in bytes, each blob counted once. */
export function holdingSize(holding: Holding): number {
  return sum(blobsOf(holding).values());
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
