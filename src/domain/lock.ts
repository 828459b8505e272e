import type { Artifact, Sha256 } from "./digest.ts";

/** What was resolved when a model was locked. */
export type LockedSource =
  | {
      readonly kind: "ollama";
      /** Canonical name with host, namespace and tag, for example `registry.ollama.ai/library/qwen3:8b`. */
      readonly model: string;
      readonly manifestDigest: Sha256;
      /** The exact text of the Ollama manifest; its SHA-256 is `manifestDigest`. */
      readonly manifest: string;
    }
  | {
      readonly kind: "huggingface";
      readonly repo: string;
      readonly revision: string;
      /** 40 hex digits. */
      readonly commit: string;
      readonly include: readonly string[];
      readonly exclude: readonly string[];
    }
  | { readonly kind: "path" };

/** One locked model. For Ollama the artifacts are config and layers, each with path `sha256:<hex>`. */
export interface LockEntry {
  readonly name: string;
  readonly source: LockedSource;
  readonly artifacts: readonly Artifact[];
  readonly contentDigest: Sha256;
  readonly aggregateSha256: Sha256;
}

/** The decoded lock file `holdfast.lock.yaml`, entries sorted by name. */
export interface LockFile {
  readonly version: 1;
  readonly entries: readonly LockEntry[];
}

const byName = new WeakMap<readonly LockEntry[], ReadonlyMap<string, LockEntry>>();

/** Finds the lock entry of a model. */
export function lockEntryOf(lock: LockFile, name: string): LockEntry | undefined {
  const known = byName.get(lock.entries);
  const index = known ?? new Map(lock.entries.map((entry) => [entry.name, entry]));
  if (known === undefined) byName.set(lock.entries, index);
  return index.get(name);
}
