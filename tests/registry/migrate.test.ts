import { describe, expect, it } from "vitest";
import type { DesiredState } from "../../src/domain/desired.ts";
import type { Diagnostic } from "../../src/domain/diagnostic.ts";
import { decodeProject } from "../../src/manifest/decode.ts";
import { assignName } from "../../src/registry/assign-name.ts";
import { decodeDownloads, syncDownloads } from "../../src/registry/downloader.ts";
import { emptyEntry, encodeEntries, type RegistryEntry } from "../../src/registry/entry.ts";
import { manifestsFromHoldings, manifestsFromRegistry, type ManifestObject } from "../../src/registry/migrate.ts";
import { renderManifest } from "../../src/registry/render-manifest.ts";
import { entriesIn, entryIn, hubHolding, observedOf, ollamaHolding, project, seen } from "./fixtures.ts";

/** Decodes rendered manifests as the program itself does. */
function decoded(manifests: readonly ManifestObject[]): { readonly desired: DesiredState | undefined; readonly diagnostics: readonly Diagnostic[] } {
  const files = manifests.map((manifest) => ({
    path: `manifests/${manifest.kind}-${manifest.metadata.name.replaceAll("/", "_")}.yaml`,
    text: renderManifest(manifest),
  }));
  return decodeProject(
    { revision: { dirty: false, digest: "d" }, manifests: files, policies: [], problems: [] },
    { root: "/project", home: "/home/me", defaultModelsDir: "/project/models" },
  );
}

function entry(name: string, backendType: string, more: Partial<RegistryEntry> = {}): RegistryEntry {
  const { served_model_id: _served, ...rest } = emptyEntry(name, backendType);
  return { ...rest, ...more };
}

const commit = "a".repeat(40);
const registry = [
  entry("llava_7b_(Q4_0)", "ollama", {
    served_model_id: "llava:7b",
    backend_config: { port: 11434, model_path: "ollama:/llava:7b", extra_args: [], host: "imageworks-ollama" },
    roles: ["caption", "keywords"],
    role_priority: { caption: 90 },
    model_aliases: ["pictures", "qwen", "with space"],
    version_lock: { locked: true, expected_aggregate_sha256: "f".repeat(64), last_verified: null },
    metadata: { created_from_download: true, note: "tuned", params: JSON.rawJSON("9.0"), ollama_family: "llama" },
    capabilities: { text: true, vision: true },
  }),
  entry("qwen", "vllm", {
    display_name: "Qwen 3",
    served_model_id: "qwen3",
    backend_config: { port: 24001, model_path: `/hub/snapshots/${commit}`, extra_args: ["--max-model-len", "8192"] },
    source: { huggingface_id: "Qwen/Qwen3-8B" },
    license: "apache-2.0",
    capabilities: { text: true, vl: true, audio: false },
    generation_defaults: { temperature: JSON.rawJSON("1.0") },
    deprecated: true,
  }),
  entry("local dir", "lmdeploy", {
    backend_config: { port: 24002, model_path: "", extra_args: [] },
    download_path: "/weights/own",
    metadata: { testing: true },
  }),
  entry("api", "remote", { backend_config: { port: 0, model_path: "", extra_args: [], base_url: "https://api.example.com/v1" } }),
  entry("model-ollama-gguf-q6_k", "ollama", { served_model_id: "None" }),
  entry("nowhere", "unassigned"),
];

describe("manifests from a registry", () => {
  const { manifests, findings } = manifestsFromRegistry(registry);
  const spec = (name: string): unknown => manifests.find((manifest) => manifest.kind === "Model" && manifest.metadata.name === name)?.spec;

  it("S3.65 S3.57 S3.15 take over sources, roles with priorities, aliases, locks, launch arguments and notes", () => {
    expect(spec("llava_7b_(Q4_0)")).toEqual({
      source: { ollama: { model: "llava:7b" } },
      backend: "ollama-imageworks-ollama",
      roles: [{ role: "caption", priority: 90 }, "keywords"],
      aliases: ["pictures"],
      lock: { required: true },
      metadata: { note: "tuned", params: 9 },
    });
    expect(spec("qwen")).toEqual({
      displayName: "Qwen 3",
      source: { huggingface: { repo: "Qwen/Qwen3-8B", revision: commit } },
      backend: "vllm",
      servedModelId: "qwen3",
      launch: { args: ["--max-model-len", "8192"] },
      capabilities: { vision: true },
      license: "apache-2.0",
      lifecycle: { state: "deprecated", reason: "deprecated in the registry that was migrated" },
      generationDefaults: { temperature: 1 },
    });
    expect(spec("local-dir")).toMatchObject({ source: { path: { dir: "/weights/own" } }, backend: "lmdeploy-24002", testing: true });
    expect(spec("api")).toEqual({ source: { remote: {} }, backend: "openai-api.example.com" });
  });

  it("declare one Backend per endpoint", () => {
    expect(
      manifests.filter((manifest) => manifest.kind === "Backend").map(({ metadata, spec: { type, url } }) => [metadata.name, type, url]),
    ).toEqual([
      ["lmdeploy-24002", "lmdeploy", "http://127.0.0.1:24002"],
      ["ollama-imageworks-ollama", "ollama", "http://imageworks-ollama:11434"],
      ["openai-api.example.com", "openai", "https://api.example.com"],
      ["vllm", "vllm", "http://127.0.0.1:24001"],
    ]);
  });

  it("S0.13 say what was left behind and why", () => {
    expect(findings.map((finding) => finding.code).toSorted()).toEqual([
      "migrate.alias-dropped",
      "migrate.alias-dropped",
      "migrate.lock",
      "migrate.no-source",
      "migrate.placeholder",
      "migrate.renamed",
    ]);
  });

  it("warn of two backends at one address, which ImageWorks' defaults give to vLLM and LMDeploy", () => {
    const twins = [entry("a", "vllm", { download_path: "/w/a" }), entry("b", "lmdeploy", { download_path: "/w/b" })];
    expect(manifestsFromRegistry(twins).findings).toMatchObject([
      { code: "migrate.shared-endpoint", message: "lmdeploy and vllm would both be at http://127.0.0.1:24001" },
    ]);
  });

  it("S3.65 turn older stage lists into roles, best first", () => {
    const migrated = manifestsFromRegistry([entry("a", "ollama", { served_model_id: "a:1" }), entry("b", "ollama", { served_model_id: "b:1" })], {
      caption: ["b:1", "a"],
    });
    expect(migrated.manifests.filter((manifest) => manifest.kind === "Model").map((manifest) => manifest.spec["roles"])).toEqual([
      [{ role: "caption", priority: 1 }],
      [{ role: "caption", priority: 2 }],
    ]);
  });

  it("are manifests that this program accepts, and project to the same roles, ids and endpoints", () => {
    const { desired, diagnostics } = decoded(manifests);
    expect(diagnostics.filter((finding) => finding.severity === "error")).toEqual([]);
    if (desired === undefined) throw new Error("not decoded");
    const { merged } = project({ desired });
    expect(entryIn(merged, "llava_7b_(Q4_0)")).toMatchObject({
      served_model_id: "llava:7b",
      roles: ["caption", "keywords"],
      backend_config: { port: 11434, host: "imageworks-ollama", model_path: "ollama:/llava:7b" },
    });
    expect(entryIn(merged, "qwen")).toMatchObject({
      served_model_id: "qwen3",
      deprecated: true,
      display_name: "Qwen 3",
      backend_config: { port: 24001, extra_args: ["--max-model-len", "8192"] },
    });
  });

  it("start with the line that gives editors the schema", () => {
    const [first] = manifests;
    if (first === undefined) throw new Error("no manifests");
    expect(renderManifest(first)).toMatch(
      /^# yaml-language-server: \$schema=https:\/\/\S+\/backend\.schema\.json\napiVersion: holdfast\.dev\/v1\nkind: Backend\n/,
    );
  });
});

describe("manifests from what a host holds", () => {
  const holdings = [
    ollamaHolding("llava:7b"),
    ollamaHolding("a/b:x"),
    ollamaHolding("stub:1", { facts: { remoteHost: "https://ollama.com", capabilities: {} } }),
    hubHolding("Qwen/Qwen3-8B", commit, { "m.safetensors": "w" }),
  ];

  it("declare each holding, so that it is found again where it is", () => {
    const taken = new Set<string>();
    const { manifests, findings } = manifestsFromHoldings(holdings, (holding) => {
      const name = assignName(holding, taken, "a2");
      taken.add(name);
      return name;
    });
    expect(findings.map((finding) => finding.code)).toEqual(["adopt.remote"]);
    const local: ManifestObject = {
      apiVersion: "holdfast.dev/v1",
      kind: "Backend",
      metadata: { name: "local" },
      spec: { type: "ollama", url: "http://localhost:11434" },
    };
    const { desired, diagnostics } = decoded([local, ...manifests]);
    expect(diagnostics).toEqual([]);
    if (desired === undefined) throw new Error("not decoded");
    const { merged } = project({ desired, observed: observedOf(seen("ollama:local", holdings.slice(0, 2)), seen("huggingface", holdings.slice(3))) });
    const states = entriesIn(merged).map((each) => [each.name, each.metadata["reconciler"]]);
    expect(states).toMatchObject([
      ["b-x-ollama-gguf", { state: "present", declared: true }],
      ["llava-7b-ollama-gguf", { state: "present", declared: true }],
      ["qwen3-8b-safetensors", { state: "present", declared: true }],
    ]);
  });

  it("refuses to give two models one name", () => {
    expect(manifestsFromHoldings(holdings, () => "same").findings.map((finding) => finding.code)).toContain("adopt.duplicate-name");
  });
});

describe("the downloader's manifest", () => {
  const text = JSON.stringify({
    one: {
      model_name: "Org/Some-Model@main",
      path: "/w/some",
      format_type: "safetensors",
      size_bytes: 12,
      checksum: "0123456789abcdef",
      files: [{ path: "sub/a.safetensors", size: 12 }],
    },
    two: { model_name: "org/existing", path: "/w/existing", format_type: "awq", files: ["x.bin"] },
    three: { path: "/w/unnamed" },
  });
  const existing = entry("existing", "lmdeploy", {
    backend_config: { port: 9, model_path: "mine", extra_args: ["--keep"] },
    source: { huggingface_id: "kept/id", format: null },
    roles: ["chat"],
  });
  const { models, findings } = decodeDownloads(text, "models.json");

  it("S3.48 S3.69 adds skeleton entries and fills in the source of existing ones without touching what they say", () => {
    const { entries, created, updated } = syncDownloads([existing], models);
    expect([created, updated]).toEqual([["some-model-main"], ["existing"]]);
    expect(entries.find((each) => each.name === "some-model-main")).toMatchObject({
      backend: "vllm",
      download_path: "/w/some",
      source: {
        huggingface_id: "Org/Some-Model",
        format: "safetensors",
        path: "/w/some",
        size_bytes: 12,
        directory_checksum: "0123456789abcdef",
        files: [{ path: "sub/a.safetensors", size: 12 }],
      },
    });
    expect(entries.find((each) => each.name === "existing")).toMatchObject({
      backend: "lmdeploy",
      roles: ["chat"],
      backend_config: existing.backend_config,
      source: { huggingface_id: "kept/id", format: "awq", path: "/w/existing" },
    });
    expect(findings.map((finding) => [finding.code, finding.pointer])).toEqual([["downloads.bad-record", "/three"]]);
  });

  it("S3.49 S3.72 counts what would change, and changes nothing the second time", () => {
    const once = syncDownloads([existing], models);
    const twice = syncDownloads(once.entries, models);
    expect([twice.created, twice.updated, twice.unchanged.toSorted()]).toEqual([[], [], ["existing", "some-model-main"]]);
    expect(encodeEntries(twice.entries)).toBe(encodeEntries(once.entries));
  });

  it("says what is wrong with a file that cannot be read", () => {
    expect(decodeDownloads("[]", "models.json").findings).toMatchObject([{ code: "downloads.not-an-object" }]);
    expect(decodeDownloads("{", "models.json").findings).toMatchObject([{ code: "downloads.not-json" }]);
  });
});

describe("the backends that entries speak of", () => {
  it("are left out of models that no Ollama could serve", () => {
    const { manifests } = manifestsFromRegistry([
      entry("x", "ollama", { backend_config: { port: 0, model_path: "/w/x", extra_args: [] }, download_path: "/w/x" }),
    ]);
    expect(manifests.find((manifest) => manifest.kind === "Model")?.spec).toEqual({ source: { path: { dir: "/w/x" } } });
  });
});
