import type { Backend } from "../../src/domain/backend.ts";
import { aggregateSha256, contentDigest, sha256, type Artifact } from "../../src/domain/digest.ts";
import type { DesiredState } from "../../src/domain/desired.ts";
import { emptyMemory, type Memory } from "../../src/domain/inventory.ts";
import type { LockEntry } from "../../src/domain/lock.ts";
import type { Model, ModelSource } from "../../src/domain/model.ts";
import type { Holding, Observation, ObservedArtifact, ObservedState, StoreId } from "../../src/domain/observed.ts";
import type { RegistryEntry } from "../../src/registry/entry.ts";
import { decodeRegistry, type DecodedRegistry, type RegistryLayer } from "../../src/registry/legacy.ts";
import { projectRegistry, type Projection } from "../../src/registry/project.ts";
import type { ProjectionInput } from "../../src/registry/projection.ts";

export const at = "2026-11-20T10:00:00.000Z";

export function model(name: string, source: ModelSource | string, more: Partial<Model> = {}): Model {
  return {
    kind: "Model",
    metadata: { name, labels: {}, annotations: {}, location: { file: `manifests/${name}.yaml`, line: 1, column: 1 } },
    source: typeof source === "string" ? { kind: "ollama", model: source } : source,
    launch: { args: [], env: {} },
    roles: [],
    aliases: [],
    capabilities: {},
    lifecycle: { state: "active" },
    protect: false,
    lock: { required: false },
    testing: false,
    generationDefaults: {},
    extra: {},
    ...more,
  };
}

export function backend(name: string, more: Partial<Backend> = {}): Backend {
  return {
    kind: "Backend",
    metadata: { name, labels: {}, annotations: {}, location: { file: "manifests/backends.yaml", line: 1, column: 1 } },
    type: "ollama",
    url: "http://localhost:11434",
    insecureRegistry: false,
    adopt: false,
    activation: { startTimeout: 1, stopTimeout: 1, rollback: true, smokeTest: true, maxAttempts: 1 },
    ...more,
  };
}

export function desiredOf(models: readonly Model[] = [], backends: readonly Backend[] = [backend("local")]): DesiredState {
  return { revision: { dirty: false, digest: "d" }, models, roles: [], backends, policies: [] };
}

export function artifact(path: string, content: string, more: Partial<ObservedArtifact> = {}): ObservedArtifact {
  const hash = sha256(content);
  return { path, size: content.length, declaredSha256: hash, blob: `sha256:${hash}`, found: { state: "present", level: "presence" }, ...more };
}

/** An Ollama holding; `ref` in its short or full form. */
export function ollamaHolding(ref: string, more: Partial<Holding> = {}, store: StoreId = "ollama:local"): Holding {
  const full = ref.split("/").length === 1 ? `registry.ollama.ai/library/${ref}` : ref.split("/").length === 2 ? `registry.ollama.ai/${ref}` : ref;
  const contents = [`config of ${full}`, `weights of ${full}`];
  return {
    store,
    ref: full,
    names: [],
    contentId: sha256(`manifest of ${full}`),
    artifacts: contents.map((content) => artifact(`sha256:${sha256(content)}`, content)),
    facts: { format: "gguf", capabilities: { text: { value: true, from: "show" } } },
    ...more,
  };
}

export function hubHolding(repo: string, commit: string, files: Readonly<Record<string, string>>, more: Partial<Holding> = {}): Holding {
  const artifacts = Object.entries(files).map(([path, content]) =>
    artifact(path, content, { found: { state: "present", level: "stat", sha256: sha256(content), verifiedAt: at } }),
  );
  const location = `/models/hub/models--${repo.replace("/", "--")}/snapshots/${commit}`;
  return {
    store: "huggingface",
    ref: `${repo}@${commit}`,
    names: ["main"],
    contentId: commit,
    artifacts,
    facts: { format: "safetensors", capabilities: {} },
    location,
    ...more,
  };
}

export function seen(store: StoreId, holdings: readonly Holding[], more: { complete?: boolean } = {}): Observation {
  return { state: "observed", store, complete: more.complete ?? true, holdings, unreadable: [], warnings: [] };
}

export function unseen(store: StoreId): Observation {
  return { state: "unknown", store, failure: { code: "unreachable", retry: "transient", message: "no answer" } };
}

export function observedOf(...stores: readonly Observation[]): ObservedState {
  return { at, level: "presence", stores, serving: [] };
}

export function remembering(more: Partial<Memory>): Memory {
  return { ...emptyMemory, ...more };
}

export function lockOf(name: string, holding: Holding): LockEntry {
  const artifacts = holding.artifacts.map(({ path, size, declaredSha256 }): Artifact => ({ path, size, sha256: declaredSha256 ?? "" }));
  const digests = { contentDigest: contentDigest(artifacts), aggregateSha256: aggregateSha256(artifacts) };
  if (holding.store === "huggingface") {
    const [repo = "", commit = ""] = holding.ref.split("@");
    return { name, source: { kind: "huggingface", repo, revision: "main", commit, include: [], exclude: [] }, artifacts, ...digests };
  }
  return { name, source: { kind: "ollama", model: holding.ref, manifestDigest: holding.contentId ?? "", manifest: "{}" }, artifacts, ...digests };
}

/** Projects; what is not given is empty, and holdings nobody named get Strategy A names. */
export function project(input: Partial<ProjectionInput>): Projection {
  return projectRegistry({
    desired: desiredOf(),
    observed: observedOf(),
    memory: emptyMemory,
    settings: { includeTesting: false, naming: "a2" },
    ...input,
  });
}

/** Projects again on top of what was written before. */
export function projectAgain(before: Projection, input: Partial<ProjectionInput>): Projection {
  return project({ ...input, previous: { discovered: read(before.discovered).entries } });
}

export function read(text: string, layer: RegistryLayer = "discovered"): DecodedRegistry {
  return decodeRegistry(text, "registry.json", layer);
}

export function entriesIn(text: string): readonly RegistryEntry[] {
  return read(text).entries;
}

export function entryIn(text: string, name: string): RegistryEntry {
  const found = entriesIn(text).find((entry) => entry.name === name);
  if (found === undefined)
    throw new Error(
      `no entry ${name} among ${entriesIn(text)
        .map((entry) => entry.name)
        .join(", ")}`,
    );
  return found;
}
