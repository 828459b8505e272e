import type { Backend } from "./backend.ts";
import type { DesiredState } from "./desired.ts";
import { compareText } from "./diagnostic.ts";
import { lockEntryOf, type LockEntry, type LockFile } from "./lock.ts";
import type { Model } from "./model.ts";
import { canonicalOllamaName, parseOllamaName, sameOllamaRef } from "./ollama-name.ts";
import type { Memory } from "./inventory.ts";
import { itemAt } from "./place-index.ts";
import type { Holding, Observation, StoreId } from "./observed.ts";

/** Where a declared model belongs: a store and, as far as it is known before looking, the reference in it. */
export type Placement =
  | { readonly kind: "stored"; readonly store: StoreId; /** Undefined for Hub models whose commit is not decided yet. */ readonly ref?: string }
  | { readonly kind: "remote" };

const commitPattern = /^[0-9a-f]{40}$/;

/** The Ollama backend that a model lives on: the one it names, else the only one there is. */
export function ollamaBackendOf(model: Model, backends: readonly Backend[]): Backend | undefined {
  const candidates = backends.filter((backend) => backend.type === "ollama");
  const named = candidates.find((backend) => backend.metadata.name === model.backend);
  return named ?? (candidates.length === 1 ? candidates[0] : undefined);
}

/** The place of a model. The commit of a Hub model is decided by its lock, or by a revision that is a commit itself. */
export function placementOf(model: Model, desired: Pick<DesiredState, "backends">, lock: LockEntry | undefined): Placement {
  const { source } = model;
  switch (source.kind) {
    case "remote":
      return { kind: "remote" };
    case "path":
      return { kind: "stored", store: "directory", ref: source.dir };
    case "ollama": {
      const backend = ollamaBackendOf(model, desired.backends);
      const parsed = parseOllamaName(source.model);
      if (backend === undefined || !("name" in parsed)) return { kind: "remote" };
      return { kind: "stored", store: `ollama:${backend.metadata.name}`, ref: canonicalOllamaName(parsed.name) };
    }
    case "huggingface": {
      if (source.layout === "dir") return { kind: "stored", store: "directory", ...(source.dir === undefined ? {} : { ref: source.dir }) };
      const locked = lock?.source.kind === "huggingface" ? lock.source.commit : undefined;
      const commit = locked ?? (commitPattern.test(source.revision) ? source.revision : undefined);
      return { kind: "stored", store: "huggingface", ...(commit === undefined ? {} : { ref: `${source.repo}@${commit}` }) };
    }
  }
}

/** True when two references of a store are the same thing; Ollama ignores case. */
export function sameRef(store: StoreId, a: string, b: string): boolean {
  return store.startsWith("ollama:") ? sameOllamaRef(a, b) : a === b;
}

/**
 * The holding of a model among what a store holds: by reference; else, for Hub models on a branch, the snapshot we resolved it to last; else the one
 * that the branch points at on this machine.
 */
export function findHolding(
  model: Model,
  placement: Extract<Placement, { kind: "stored" }>,
  holdings: readonly Holding[],
  memory: Memory,
): Holding | undefined {
  const { store, ref } = placement;
  if (ref !== undefined) return itemAt(holdings, { store, ref });
  if (model.source.kind !== "huggingface") return undefined;
  const { repo, revision } = model.source;
  const candidates = holdings.filter((holding) => holding.ref.startsWith(`${repo}@`));
  const ours = memory.inventory
    .filter((item) => item.name === model.metadata.name && item.store === store && item.revision === revision)
    .toSorted((a, b) => compareText(b.since, a.since) || compareText(a.ref, b.ref));
  const resolved = ours.flatMap((item) => candidates.filter((holding) => holding.ref === item.ref));
  return resolved[0] ?? candidates.find((holding) => holding.names.includes(revision));
}

/** The observation of one store. */
export function observationOf(stores: readonly Observation[], store: StoreId): Observation | undefined {
  return stores.find((observation) => observation.store === store);
}

/** Why a lock entry does not speak about what the manifest declares, or undefined when it does. */
export function lockMismatch(model: Model, entry: LockEntry): string | undefined {
  const { source } = model;
  const locked = entry.source;
  if (source.kind !== locked.kind) return `the lock is for a ${locked.kind} source, the manifest declares ${source.kind}`;
  if (source.kind === "ollama" && locked.kind === "ollama") {
    const parsed = parseOllamaName(source.model);
    const declared = "name" in parsed ? canonicalOllamaName(parsed.name) : source.model;
    return sameOllamaRef(declared, locked.model) ? undefined : `the lock is for ${locked.model}, the manifest declares ${declared}`;
  }
  if (source.kind !== "huggingface" || locked.kind !== "huggingface") return undefined;
  if (source.repo !== locked.repo) return `the lock is for ${locked.repo}, the manifest declares ${source.repo}`;
  if (source.revision !== locked.revision && source.revision !== locked.commit)
    return `the lock is for revision ${locked.revision}, the manifest declares ${source.revision}`;
  const samePatterns = sameList(source.include, locked.include) && sameList(source.exclude, locked.exclude);
  return samePatterns ? undefined : "the lock was made with other include or exclude patterns";
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.toSorted().every((value, index) => value === b.toSorted()[index]);
}

/** The lock entry that holds for a model, if there is one that speaks about what it declares. */
export function effectiveLock(model: Model, lock: LockFile): LockEntry | undefined {
  const entry = lockEntryOf(lock, model.metadata.name);
  return entry === undefined || lockMismatch(model, entry) !== undefined ? undefined : entry;
}
