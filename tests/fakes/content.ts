import { aggregateSha256, contentDigest, sha256 } from "../../src/domain/digest.ts";
import type { LockEntry } from "../../src/domain/lock.ts";
import type { Model } from "../../src/domain/model.ts";
import type { Backend } from "../../src/domain/backend.ts";
import type { Holding, ObservedArtifact, StoreId } from "../../src/domain/observed.ts";
import type { Upstream } from "../../src/domain/upstream.ts";

/** Values for tests of the planner: whole models made up from a seed text, consistent in every digest. */

export interface Content {
  readonly seed: string;
  readonly id: string;
  readonly manifest: string;
  readonly files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[];
}

const location = { file: "manifests/models.yaml", line: 1, column: 1 };

export function ollamaContent(seed: string): Content {
  const shared = { path: `sha256:${sha256("shared template")}`, size: 10, sha256: sha256("shared template") };
  const own = { path: `sha256:${sha256(`weights ${seed}`)}`, size: 1000 + seed.length, sha256: sha256(`weights ${seed}`) };
  const manifest = JSON.stringify({ schemaVersion: 2, layers: [own, shared].map((file) => ({ digest: file.path, size: file.size })) });
  return { seed, id: sha256(manifest), manifest, files: [own, shared] };
}

export function hubContent(seed: string): Content {
  const files = ["config.json", "model.safetensors"].map((path) => ({
    path,
    size: 100 + path.length + seed.length,
    sha256: sha256(`${path} ${seed}`),
  }));
  return { seed, id: sha256(`commit ${seed}`).slice(0, 40), manifest: "", files };
}

export function holdingOf(
  store: StoreId,
  ref: string,
  content: Content,
  options: { readonly names?: readonly string[]; readonly level?: "presence" | "stat" } = {},
): Holding {
  const repo = ref.split("@")[0] ?? ref;
  const artifacts = content.files.map((file): ObservedArtifact => ({
    path: file.path,
    size: file.size,
    declaredSha256: file.sha256,
    blob: store === "huggingface" ? `${repo}:${file.sha256}` : file.path,
    found:
      options.level === "presence"
        ? { state: "present", level: "presence" }
        : { state: "present", level: "stat", sha256: file.sha256, verifiedAt: "2026-01-01T00:00:00.000Z" },
  }));
  return {
    store,
    ref,
    names: options.names ?? [],
    contentId: content.id,
    ...(content.manifest === "" ? {} : { manifest: content.manifest }),
    artifacts,
    facts: { capabilities: {} },
    location: `/store/${ref}`,
  };
}

export function upstreamOf(kind: "ollama" | "huggingface", content: Content): Upstream {
  if (kind === "ollama") return { state: "resolved", kind, digest: content.id, manifest: content.manifest, files: content.files, missingBlobs: [] };
  return { state: "resolved", kind, commit: content.id, files: content.files, gated: false };
}

export function lockOf(model: Model, ref: string, content: Content): LockEntry {
  const { source } = model;
  const digests = { artifacts: content.files, contentDigest: contentDigest(content.files), aggregateSha256: aggregateSha256(content.files) };
  if (source.kind === "huggingface") {
    const { repo, revision, include, exclude } = source;
    return { name: model.metadata.name, source: { kind: "huggingface", repo, revision, commit: content.id, include, exclude }, ...digests };
  }
  return { name: model.metadata.name, source: { kind: "ollama", model: ref, manifestDigest: content.id, manifest: content.manifest }, ...digests };
}

export function modelOf(name: string, source: Model["source"], overrides: Partial<Model> = {}): Model {
  return {
    kind: "Model",
    metadata: { name, labels: {}, annotations: {}, location },
    source,
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
    ...overrides,
  };
}

export function backendOf(name: string, overrides: Partial<Backend> = {}): Backend {
  return {
    kind: "Backend",
    metadata: { name, labels: {}, annotations: {}, location },
    type: "ollama",
    url: "http://127.0.0.1:11434",
    insecureRegistry: false,
    adopt: false,
    activation: { startTimeout: 900_000, stopTimeout: 60_000, rollback: true, smokeTest: true, maxAttempts: 3 },
    ...overrides,
  };
}
