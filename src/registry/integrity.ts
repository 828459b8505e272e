import { compareText } from "../domain/diagnostic.ts";
import { aggregateSha256, isSha256, type Artifact } from "../domain/digest.ts";
import { fileSelected } from "../domain/file-patterns.ts";
import { isCorrupt } from "../domain/fingerprint.ts";
import type { JsonObject } from "../domain/json.ts";
import type { LockEntry } from "../domain/lock.ts";
import type { Model } from "../domain/model.ts";
import type { Holding, ObservedArtifact } from "../domain/observed.ts";
import type { RegistryArtifacts } from "./entry.ts";

/** The hash formula of `artifacts.aggregate_sha256`, by name: readers need not guess. */
const algorithm = "sha256-of-sorted-sha256-path-lines";

/** The bytes of a holding as a registry entry states them. */
export interface Integrity {
  readonly state: "present" | "incomplete" | "corrupt";
  readonly artifacts: RegistryArtifacts;
  readonly bytes: number;
  /** For `metadata.reconciler.integrity`. */
  readonly record: JsonObject;
}

/** Ollama's config and layers are files of the store; others are paths inside the model. */
export function registryPath(path: string): string {
  return path.startsWith("sha256:") ? `blobs/sha256-${path.slice("sha256:".length)}` : path;
}

/** The files of a holding that belong to the model: a manifest may declare only some of a Hub repository. */
export function modelArtifacts(holding: Holding, model: Model | undefined): readonly ObservedArtifact[] {
  const { include, exclude } = model?.source.kind === "huggingface" ? model.source : { include: [], exclude: [] };
  const wanted = holding.artifacts.filter((artifact) => fileSelected(artifact.path, include, exclude));
  return [...new Map(wanted.map((artifact) => [artifact.path, artifact])).values()].toSorted((a, b) => compareText(a.path, b.path));
}

/** Sums up what is known of the bytes. The aggregate is stated only when every file is there and has a hash. */
export function integrityOf(artifacts: readonly ObservedArtifact[], lastVerified: string | undefined): Integrity {
  const files = artifacts.flatMap((artifact) => {
    const sha256 = sha256Of(artifact);
    return sha256 === undefined ? [] : [{ path: registryPath(artifact.path), sha256 }];
  });
  const complete = artifacts.length > 0 && files.length === artifacts.length;
  const times = artifacts.flatMap(({ found }) => (found.state === "present" && found.level !== "presence" ? [found.verifiedAt] : []));
  const hashed = artifacts.length > 0 && times.length === artifacts.length;
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.size, 0);
  const [oldest] = times.toSorted(compareText);
  const verifiedAt = hashed ? oldest : lastVerified;
  return {
    state: stateOf(artifacts),
    artifacts: { aggregate_sha256: complete ? aggregateSha256(files) : "", files },
    bytes,
    record: {
      algorithm,
      coverage: coverageOf(artifacts, files.length),
      level: hashed ? "stat" : "presence",
      verifiedAt: verifiedAt ?? null,
      bytes,
      files: artifacts.length,
    },
  };
}

function stateOf(artifacts: readonly ObservedArtifact[]): Integrity["state"] {
  if (artifacts.some(isCorrupt)) return "corrupt";
  return artifacts.every((artifact) => artifact.found.state === "present") ? "present" : "incomplete";
}

function coverageOf(artifacts: readonly ObservedArtifact[], known: number): "all" | "subset" | "none" | "manifest-only" {
  if (artifacts.length === 0) return "manifest-only";
  if (known === artifacts.length) return "all";
  return known === 0 ? "none" : "subset";
}

/** The hash of the bytes that are there: measured if it was, else the one the store vouches for. */
function sha256Of({ path, found, declaredSha256 }: ObservedArtifact): string | undefined {
  if (found.state !== "present") return undefined;
  if (found.level !== "presence") return found.sha256;
  if (declaredSha256 !== undefined) return declaredSha256;
  const digest = path.startsWith("sha256:") ? path.slice("sha256:".length) : "";
  return isSha256(digest) ? digest : undefined;
}

/** The aggregate that a lock expects, over the same paths as the registry's own aggregate, so that the two can be compared. */
export function expectedAggregate(entry: LockEntry): string {
  return aggregateSha256(entry.artifacts.map((artifact: Artifact) => ({ path: registryPath(artifact.path), sha256: artifact.sha256 })));
}
