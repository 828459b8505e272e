import { aggregateSha256, contentDigest, type Artifact } from "./digest.ts";
import { compareText } from "./diagnostic.ts";
import { fileSelected } from "./file-patterns.ts";
import { isCorrupt } from "./fingerprint.ts";
import type { LockEntry, LockedSource, LockFile } from "./lock.ts";
import type { Model } from "./model.ts";
import type { Holding } from "./observed.ts";
import type { Upstream } from "./upstream.ts";

/** A lock entry, or why none can be made. */
export type LockAttempt = { readonly entry: LockEntry } | { readonly problem: string; readonly remedy?: string };

/** Locks what a machine holds. Every file must have been hashed and match what the store itself declares: wrong bytes are never locked. */
export function lockHolding(model: Model, holding: Holding): LockAttempt {
  const { name } = model.metadata;
  const artifacts: Artifact[] = [];
  for (const artifact of lockableArtifacts(model, holding)) {
    const { path, size, found } = artifact;
    if (found.state !== "present") return { problem: `${path} of ${holding.ref} is ${found.state}`, remedy: "holdfast reconcile repairs it" };
    if (found.level === "presence")
      return {
        problem: `${path} of ${holding.ref} could not be hashed from here`,
        remedy: "lock on the machine that holds the files, or give the backend a readable `store`",
      };
    if (isCorrupt(artifact))
      return { problem: `${path} of ${holding.ref} has wrong bytes (${found.sha256})`, remedy: "holdfast reconcile repairs it" };
    artifacts.push({ path, size, sha256: found.sha256 });
  }
  if (artifacts.length === 0) return { problem: `${holding.ref} has no files` };
  const source = sourceOfHolding(model, holding);
  return source === undefined
    ? { problem: `the exact identity of ${holding.ref} is not known`, remedy: "give the backend a readable `store`" }
    : { entry: entryOf(name, source, artifacts) };
}

function lockableArtifacts(model: Model, holding: Holding): Holding["artifacts"] {
  const { source } = model;
  return source.kind === "huggingface"
    ? holding.artifacts.filter((artifact) => fileSelected(artifact.path, source.include, source.exclude))
    : holding.artifacts;
}

function sourceOfHolding(model: Model, holding: Holding): LockedSource | undefined {
  const { source } = model;
  switch (source.kind) {
    case "ollama":
      return holding.contentId === undefined || holding.manifest === undefined
        ? undefined
        : { kind: "ollama", model: holding.ref, manifestDigest: holding.contentId, manifest: holding.manifest };
    case "huggingface": {
      const { repo, revision, include, exclude } = source;
      return holding.contentId === undefined ? undefined : { kind: "huggingface", repo, revision, commit: holding.contentId, include, exclude };
    }
    case "path":
      return { kind: "path" };
    case "remote":
      return undefined;
  }
}

/** Locks what a registry or hub offers now, before anything is pulled: trust on first use. Every file must come with its SHA-256. */
export function lockUpstream(model: Model, ref: string, upstream: Upstream): LockAttempt {
  const { source, metadata } = model;
  if (upstream.state === "failed")
    return { problem: upstream.failure.message, ...(upstream.failure.remedy === undefined ? {} : { remedy: upstream.failure.remedy }) };
  const artifacts: Artifact[] = [];
  for (const { path, size, sha256 } of upstream.files) {
    if (sha256 === undefined)
      return {
        problem: `the hub declares no SHA-256 for ${path}`,
        remedy: `pull it first (holdfast reconcile), then holdfast lock ${metadata.name}`,
      };
    artifacts.push({ path, size, sha256 });
  }
  if (upstream.kind === "ollama")
    return { entry: entryOf(metadata.name, { kind: "ollama", model: ref, manifestDigest: upstream.digest, manifest: upstream.manifest }, artifacts) };
  if (source.kind !== "huggingface") return { problem: `${metadata.name} is not a Hub model` };
  const { repo, revision, include, exclude } = source;
  return { entry: entryOf(metadata.name, { kind: "huggingface", repo, revision, commit: upstream.commit, include, exclude }, artifacts) };
}

function entryOf(name: string, source: LockedSource, artifacts: readonly Artifact[]): LockEntry {
  const unique = [...new Map(artifacts.map((artifact) => [artifact.path, artifact])).values()].toSorted((a, b) => compareText(a.path, b.path));
  return { name, source, artifacts: unique, contentDigest: contentDigest(unique), aggregateSha256: aggregateSha256(unique) };
}

/** The lock with entries put in (replacing those of the same name) and names taken out, sorted. */
export function editLock(lock: LockFile, put: readonly LockEntry[], remove: readonly string[]): LockFile {
  const replaced = new Set([...put.map((entry) => entry.name), ...remove]);
  const entries = [...lock.entries.filter((entry) => !replaced.has(entry.name)), ...put].toSorted((a, b) => compareText(a.name, b.name));
  return { version: 1, entries };
}

/** True when two entries pin the same bytes of the same source. */
export function sameLock(a: LockEntry, b: LockEntry): boolean {
  if (a.contentDigest !== b.contentDigest || a.source.kind !== b.source.kind) return false;
  if (a.source.kind === "huggingface" && b.source.kind === "huggingface")
    return a.source.commit === b.source.commit && a.source.revision === b.source.revision;
  return true;
}
