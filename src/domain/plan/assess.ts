import type { DesiredState } from "../desired.ts";
import type { Sha256 } from "../digest.ts";
import type { Failure } from "../failure.ts";
import type { Memory } from "../inventory.ts";
import { lockEntryOf, type LockEntry, type LockFile } from "../lock.ts";
import type { Model } from "../model.ts";
import type { ArtifactState, Holding, ObservedArtifact, ObservedState, StoreId } from "../observed.ts";
import { effectiveLock, findHolding, lockMismatch, observationOf, placementOf } from "../placement.ts";
import { itemAt } from "../place-index.ts";
import type { UpstreamFile, UpstreamState } from "../upstream.ts";

/** One file that is not what it ought to be. `expected` and `actual` are SHA-256 digests or byte counts, as text for people. */
export interface Defect {
  readonly kind: "missing" | "incomplete" | "corrupt" | "unreadable" | "unexpected";
  readonly path: string;
  readonly blob: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly failure?: Failure;
}

/** How the content of a holding relates to its lock. `cosmetic`: another manifest text, the same bytes. */
export type Identity = "unlocked" | "locked" | "cosmetic" | "different";

/** What is known about one declared model. */
export type Assessment =
  | { readonly state: "remote"; readonly model: Model }
  | { readonly state: "unknown"; readonly model: Model; readonly store: StoreId; readonly failure: Failure }
  | { readonly state: "unlockable"; readonly model: Model; readonly store: StoreId; readonly problem: string }
  | { readonly state: "missing"; readonly model: Model; readonly store: StoreId; readonly ref?: string; readonly lock?: LockEntry }
  | {
      readonly state: "unreadable";
      readonly model: Model;
      readonly store: StoreId;
      readonly ref: string;
      readonly failure: Failure;
      readonly lock?: LockEntry;
    }
  | {
      readonly state: "held";
      readonly model: Model;
      readonly store: StoreId;
      readonly holding: Holding;
      readonly lock?: LockEntry;
      readonly identity: Identity;
      readonly defects: readonly Defect[];
      /** Paths whose bytes are locked and were not hashed since they last changed. */
      readonly unverified: readonly string[];
    };

interface Input {
  readonly desired: DesiredState;
  readonly lock: LockFile;
  readonly observed: ObservedState;
  readonly memory: Memory;
  readonly upstream: UpstreamState;
}

/** Compares one declared model with what was seen. Absence counts only in a complete observation. */
export function assess(model: Model, input: Input): Assessment {
  const entry = lockEntryOf(input.lock, model.metadata.name);
  const lock = effectiveLock(model, input.lock);
  const placement = placementOf(model, input.desired, lock);
  if (placement.kind === "remote") return { state: "remote", model };
  const { store } = placement;
  if (entry !== undefined && lock === undefined)
    return { state: "unlockable", model, store, problem: lockMismatch(model, entry) ?? "the lock does not fit" };
  const observation = observationOf(input.observed.stores, store);
  if (observation === undefined)
    return { state: "unknown", model, store, failure: { code: "unsupported", retry: "terminal", message: `nothing reads the store ${store}` } };
  if (observation.state === "unknown") return { state: "unknown", model, store, failure: observation.failure };
  const withLock = lock === undefined ? {} : { lock };
  const holding = findHolding(model, placement, observation.holdings, input.memory);
  if (holding !== undefined) return assessHolding(model, holding, lock, input);
  const ref = placement.ref;
  const unreadable = ref === undefined ? undefined : itemAt(observation.unreadable, { store, ref });
  if (unreadable !== undefined) return { state: "unreadable", model, store, ref: unreadable.ref, failure: unreadable.failure, ...withLock };
  if (!observation.complete) {
    return {
      state: "unknown",
      model,
      store,
      failure: { code: "protocol", retry: "transient", message: `the listing of ${store} was not complete, so absence proves nothing` },
    };
  }
  return { state: "missing", model, store, ...(ref === undefined ? {} : { ref }), ...withLock };
}

function assessHolding(
  model: Model,
  holding: Holding,
  lock: LockEntry | undefined,
  { upstream, observed }: Pick<Input, "upstream" | "observed">,
): Assessment {
  const identity = identityOf(holding, lock);
  if (lock === undefined && isUnnamedFolder(model, holding)) return assessUnnamedFolder(model, holding, upstream);
  const base = { state: "held", model, store: holding.store, holding, ...(lock === undefined ? {} : { lock }), identity } as const;
  if (lock === undefined) return { ...base, defects: [...ownDefects(holding), ...incompleteSnapshot(model, holding, upstream)], unverified: [] };
  if (identity === "different") return { ...base, defects: [], unverified: [] };
  return { ...base, defects: lockDefects(holding, lock), unverified: observed.level === "presence" ? [] : unverifiedPaths(holding, lock) };
}

/** A folder that is declared for a Hub model and has no record of any download: its files may be anything. */
function isUnnamedFolder(model: Model, holding: Holding): boolean {
  return model.source.kind === "huggingface" && holding.store === "directory" && holding.contentId === undefined;
}

function assessUnnamedFolder(model: Model, holding: Holding, upstream: UpstreamState): Assessment {
  const { store } = holding;
  const offered = upstream[model.metadata.name];
  if (offered?.state !== "resolved" || offered.kind !== "huggingface") {
    const failure =
      offered?.state === "failed"
        ? offered.failure
        : ({
            code: "unsupported",
            retry: "transient",
            message: `${holding.ref} has files and no record of where they come from; the hub was not asked`,
          } as const);
    return { state: "unknown", model, store, failure };
  }
  const byPath = new Map(holding.artifacts.map((artifact) => [artifact.path, artifact]));
  const defects = offered.files.flatMap((file): readonly Defect[] => {
    const artifact = byPath.get(file.path);
    const expected = file.sha256 === undefined ? {} : { expected: file.sha256 };
    return artifact === undefined
      ? [{ kind: "missing", path: file.path, blob: file.path, ...expected }]
      : [defectOf(artifact, file.size, file.sha256) ?? []].flat();
  });
  return { state: "held", model, store, holding, identity: "unlocked", defects, unverified: [] };
}

function identityOf(holding: Holding, lock: LockEntry | undefined): Identity {
  if (lock === undefined) return "unlocked";
  if (lock.source.kind !== "ollama") return "locked";
  if (holding.contentId === lock.source.manifestDigest) return "locked";
  if (isOpaque(holding)) return "different";
  const have = new Set(holding.artifacts.map((artifact) => artifact.path));
  const want = new Set(lock.artifacts.map((artifact) => artifact.path));
  return have.size === want.size && [...want].every((path) => have.has(path)) ? "cosmetic" : "different";
}

/** Defects that a holding shows by its own metadata, without any lock. */
export function ownDefects(holding: Holding): readonly Defect[] {
  return holding.artifacts.flatMap((artifact) => defectOf(artifact, artifact.size, artifact.declaredSha256) ?? []);
}

/** A server that shows no files: one artifact named `manifest` stands for all of them, so that nothing is known to be wrong and nothing is proven. */
function isOpaque(holding: Holding): boolean {
  return holding.artifacts.length === 1 && holding.artifacts[0]?.path === "manifest";
}

function lockDefects(holding: Holding, lock: LockEntry): readonly Defect[] {
  if (isOpaque(holding)) return [];
  const byPath = new Map(holding.artifacts.map((artifact) => [artifact.path, artifact]));
  const defects = lock.artifacts.flatMap((locked): readonly Defect[] => {
    const artifact = byPath.get(locked.path);
    if (artifact === undefined) return [{ kind: "missing", path: locked.path, blob: locked.path, expected: locked.sha256 }];
    const defect = defectOf(artifact, locked.size, locked.sha256);
    return defect === undefined ? [] : [defect];
  });
  if (lock.source.kind !== "path") return defects;
  const lockedPaths = new Set(lock.artifacts.map((artifact) => artifact.path));
  const unexpected = holding.artifacts.filter((artifact) => !lockedPaths.has(artifact.path) && artifact.found.state !== "missing");
  return [
    ...defects,
    ...unexpected.map((artifact): Defect => ({ kind: "unexpected", path: artifact.path, blob: artifact.blob, actual: `${artifact.size} bytes` })),
  ];
}

function defectOf(artifact: ObservedArtifact, size: number, sha256: Sha256 | undefined): Defect | undefined {
  const { path, blob, found } = artifact;
  const expected = sha256 === undefined ? {} : { expected: sha256 };
  switch (found.state) {
    case "missing":
      return { kind: "missing", path, blob, ...expected };
    case "incomplete":
      return { kind: "incomplete", path, blob, expected: `${size} bytes`, actual: `${found.size} bytes` };
    case "unreadable":
      return { kind: found.failure.code === "integrity" ? "corrupt" : "unreadable", path, blob, failure: found.failure, ...expected };
    case "present":
      if (artifact.size !== size) return { kind: "incomplete", path, blob, expected: `${size} bytes`, actual: `${artifact.size} bytes` };
      return isWrong(found, sha256) ? { kind: "corrupt", path, blob, ...expected, actual: found.sha256 } : undefined;
  }
}

function isWrong(found: ArtifactState, sha256: Sha256 | undefined): found is Extract<ArtifactState, { sha256: Sha256 }> {
  return found.state === "present" && found.level !== "presence" && sha256 !== undefined && found.sha256 !== sha256;
}

/** Files that the commit has upstream and the snapshot has not: a half download that nobody locked. */
function incompleteSnapshot(model: Model, holding: Holding, upstream: UpstreamState): readonly Defect[] {
  const offered = upstream[model.metadata.name];
  if (offered?.state !== "resolved" || offered.kind !== "huggingface" || offered.commit !== holding.contentId) return [];
  const have = new Set(holding.artifacts.map((artifact) => artifact.path));
  const absent = offered.files.filter((file: UpstreamFile) => !have.has(file.path));
  return absent.map((file): Defect => ({
    kind: "missing",
    path: file.path,
    blob: file.path,
    ...(file.sha256 === undefined ? {} : { expected: file.sha256 }),
  }));
}

function unverifiedPaths(holding: Holding, lock: LockEntry): readonly string[] {
  if (isOpaque(holding)) return lock.artifacts.map((artifact) => artifact.path);
  const locked = new Set(lock.artifacts.map((artifact) => artifact.path));
  return holding.artifacts
    .filter(({ path, found }) => locked.has(path) && found.state === "present" && found.level === "presence")
    .map((artifact) => artifact.path);
}
