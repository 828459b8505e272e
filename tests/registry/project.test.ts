import { describe, expect, it } from "vitest";
import { aggregateSha256, sha256 } from "../../src/domain/digest.ts";
import type { Holding } from "../../src/domain/observed.ts";
import { curatedInput } from "../../src/registry/curated-input.ts";
import { emptyEntry, encodeEntries, registryKeys } from "../../src/registry/entry.ts";
import { mergeLayers } from "../../src/registry/layers.ts";
import { findEntry } from "../../src/registry/query.ts";
import {
  artifact,
  at,
  backend,
  desiredOf,
  entriesIn,
  entryIn,
  hubHolding,
  lockOf,
  model,
  observedOf,
  ollamaHolding,
  project,
  projectAgain,
  read,
  remembering,
  seen,
  unseen,
} from "./fixtures.ts";

const llava = ollamaHolding("llava:7b", {
  location: "/store/manifests/registry.ollama.ai/library/llava/7b",
  facts: {
    format: "gguf",
    family: "llama",
    quantization: "Q4_0",
    parameterSize: "7.2B",
    contextLength: 32768,
    license: "apache-2.0",
    capabilities: { text: { value: true, from: "show" }, vision: { value: true, from: "show" } },
  },
});
const qwen = hubHolding("Qwen/Qwen3-8B", "a".repeat(40), { "config.json": "{}", "sub/model.safetensors": "weights" });
const everything = { observed: observedOf(seen("ollama:local", [llava]), seen("huggingface", [qwen])) };

describe("entries of models that stores hold", () => {
  it("S0.1 S0.3 S0.8 S0.37 S1.26 S1.27 lists every held model, whatever its source, in discovered and merged", () => {
    const { discovered, merged, curated } = project(everything);
    expect(entriesIn(merged).map((entry) => entry.name)).toEqual(["llava-7b-ollama-gguf", "qwen3-8b-safetensors"]);
    expect(merged).toBe(discovered);
    expect(curated).toBe("[]\n");
  });

  it("writes the 32 keys of every entry in order, objects as objects and lists as lists", () => {
    const { discovered } = project({ ...everything, desired: desiredOf([model("gone", "mistral:7b"), model("api", { kind: "remote" })]) });
    const values: readonly unknown[] = JSON.parse(discovered);
    expect(values).toHaveLength(4);
    for (const value of values) expect(Object.keys(value ?? {})).toEqual(registryKeys);
  });

  it("S0.6 S0.9 S0.10 S0.16 S1.17 S3.33 describes an Ollama model by its verbatim tag, its manifest file and its digest", () => {
    const entry = entryIn(project(everything).merged, "llava-7b-ollama-gguf");
    expect(entry).toMatchObject({
      backend: "ollama",
      served_model_id: "llava:7b",
      backend_config: { port: 11434, model_path: "ollama:/llava:7b", extra_args: [] },
      download_path: "/store/manifests/registry.ollama.ai/library/llava/7b",
      download_format: "gguf",
      download_directory_checksum: "",
      download_files: [],
      family: "llava-7b",
      quantization: "q4_0",
      license: "apache-2.0",
      source_provider: "ollama",
      metadata: {
        ollama_family: "llama",
        ollama_context_length: 32768,
        ollama_capabilities: ["completion", "vision"],
        reconciler: { digest: llava.contentId, uid: "ollama:local/registry.ollama.ai/library/llava:7b", naming: "a1", state: "present" },
      },
    });
  });

  it("S0.9 says ollama:/<tag> with one slash where the manifest file cannot be read", () => {
    const remote = ollamaHolding("Me/LLaVA:7B-Q4");
    const [entry] = entriesIn(project({ observed: observedOf(seen("ollama:local", [remote])) }).merged);
    expect(entry).toMatchObject({
      download_path: "ollama:/Me/LLaVA:7B-Q4",
      served_model_id: "Me/LLaVA:7B-Q4",
      backend_config: { model_path: "ollama:/Me/LLaVA:7B-Q4" },
    });
  });

  it("S1.21 S3.24 S3.42 S3.68 lists blobs as files and aggregates them by the one formula", () => {
    const { artifacts, metadata, download_size_bytes } = entryIn(project(everything).merged, "llava-7b-ollama-gguf");
    const files = llava.artifacts
      .map(({ declaredSha256 }) => ({ path: `blobs/sha256-${declaredSha256}`, sha256: declaredSha256 ?? "" }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect(artifacts).toEqual({ aggregate_sha256: aggregateSha256(files), files });
    expect(metadata["reconciler"]).toMatchObject({
      integrity: { coverage: "all", level: "presence", verifiedAt: null, files: 2, bytes: download_size_bytes },
    });
  });

  it("S1.82 S3.20 S3.37 S3.47 S3.56 S3.69 describes a Hub snapshot with relative paths, sizes and hashes of all files", () => {
    const entry = entryIn(project(everything).merged, "qwen3-8b-safetensors");
    const path = `/models/hub/models--Qwen--Qwen3-8B/snapshots/${"a".repeat(40)}`;
    expect(entry).toMatchObject({
      backend: "unassigned",
      backend_config: { model_path: path },
      download_path: path,
      download_files: ["config.json", "sub/model.safetensors"],
      source_provider: "hf",
      source: {
        huggingface_id: "Qwen/Qwen3-8B",
        format: "safetensors",
        path,
        size_bytes: 9,
        directory_checksum: entry.download_directory_checksum,
        files: [
          { path: "config.json", size: 2, sha256: sha256("{}") },
          { path: "sub/model.safetensors", size: 7, sha256: sha256("weights") },
        ],
      },
    });
    expect(entry.download_directory_checksum).toMatch(/^[0-9a-f]{16}$/);
    expect(entry.metadata["reconciler"]).toMatchObject({ integrity: { level: "stat", verifiedAt: at, coverage: "all" } });
  });

  it("states no aggregate when a file is missing, wrong or not hashed", () => {
    const broken = (more: Partial<Holding["artifacts"][number]>): Holding => ({
      ...qwen,
      artifacts: [artifact("config.json", "{}"), artifact("model.safetensors", "weights", more)],
    });
    const states = [
      broken({ found: { state: "missing" } }),
      broken({ found: { state: "present", level: "full", sha256: sha256("other"), verifiedAt: at } }),
    ].map((holding) => {
      const [entry] = entriesIn(project({ observed: observedOf(seen("huggingface", [holding])) }).merged);
      return [entry?.artifacts.aggregate_sha256 === "", entry?.metadata["reconciler"]];
    });
    expect(states).toMatchObject([
      [true, { state: "incomplete", integrity: { coverage: "subset" }, conditions: [{ type: "Ready", status: "False", reason: "FilesMissing" }] }],
      [false, { state: "corrupt", conditions: [{ status: "False", reason: "WrongBytes" }] }],
    ]);
  });

  it("S2.3 takes capabilities from what Ollama says rather than from the name, and notes where each comes from", () => {
    const liar = ollamaHolding("llava-vision:7b", {
      facts: {
        capabilities: { text: { value: true, from: "show" }, vision: { value: false, from: "show" }, thinking: { value: true, from: "show" } },
      },
    });
    const [entry] = entriesIn(project({ observed: observedOf(seen("ollama:local", [liar])) }).merged);
    expect(entry?.capabilities).toMatchObject({ text: true, vision: false, thinking: true, reasoning: true, tools: false });
    expect(entry?.metadata["reconciler"]).toMatchObject({ provenance: { vision: "show", thinking: "show" } });
  });

  it("does not write a licence text into the field for a label", () => {
    const [entry] = entriesIn(
      project({
        observed: observedOf(seen("ollama:local", [ollamaHolding("a:1", { facts: { license: "Apache License\nVersion 2.0", capabilities: {} } })])),
      }).merged,
    );
    expect(entry?.license).toBeNull();
  });

  it("S0.12 S0.15 gives two models of one Strategy A name an entry each and says so", () => {
    const { merged, findings } = project({ observed: observedOf(seen("ollama:local", [ollamaHolding("c/b:x"), ollamaHolding("a/b:x")])) });
    expect(entriesIn(merged).map((entry) => [entry.name, entry.served_model_id])).toEqual([
      ["b-x-ollama-gguf", "a/b:x"],
      ["c-b-x-ollama-gguf", "c/b:x"],
    ]);
    expect(findings).toMatchObject([{ code: "registry.name-collision", message: expect.stringContaining("c/b:x is listed as c-b-x-ollama-gguf") }]);
  });

  it("emits one entry for references that differ only in case, and reports the other", () => {
    const { merged, findings } = project({ observed: observedOf(seen("ollama:local", [ollamaHolding("llava:7b"), ollamaHolding("LLaVA:7B")])) });
    expect(entriesIn(merged)).toHaveLength(1);
    expect(findings.map((finding) => finding.code)).toEqual(["registry.case-duplicate"]);
  });

  it("tells the same tag on two Ollama servers apart, in name and in download path", () => {
    const desired = desiredOf([], [backend("local"), backend("gpu", { url: "http://gpu.lan:11434" })]);
    const { merged } = project({
      desired,
      observed: observedOf(seen("ollama:gpu", [ollamaHolding("a:1", {}, "ollama:gpu")]), seen("ollama:local", [ollamaHolding("a:1")])),
    });
    expect(entriesIn(merged).map((entry) => [entry.name, entry.backend_config.host, entry.download_path])).toEqual([
      ["a-1-ollama-gguf", "gpu.lan", "ollama:/a:1"],
      ["library-a-1-ollama-gguf", undefined, "ollama:/local/a:1"],
    ]);
  });

  it("S0.17 S0.23 keeps the name that the memory has, and leaves out what was not imported where nothing says how to name it", () => {
    const memory = remembering({ discovered: [{ store: "ollama:local", ref: llava.ref, name: "my-llava", firstSeen: at }] });
    const settings = { includeTesting: false };
    const { merged } = project({ ...everything, memory, settings });
    expect(entriesIn(merged).map((entry) => [entry.name, entry.downloaded_at])).toEqual([["my-llava", at]]);
  });

  it("S1.65 leaves out folders and snapshots that look like test models unless they are wanted; Ollama models are imported whatever their name", () => {
    const observed = observedOf(
      seen("ollama:local", [ollamaHolding("testmodel:Q4_K")]),
      seen("huggingface", [hubHolding("me/demo-model-x", "b".repeat(40), { "m.safetensors": "x" })]),
    );
    const hidden = project({ observed });
    expect(entriesIn(hidden.merged).map((entry) => entry.name)).toEqual(["testmodel-ollama-gguf-q4_k"]);
    expect(hidden.findings.map((finding) => finding.code)).toEqual(["registry.testing-skipped"]);
    expect(entriesIn(project({ observed, settings: { includeTesting: true, naming: "a2" } }).merged)).toHaveLength(2);
  });

  it("S0.28 records the label for where the files lie", () => {
    const settings = { includeTesting: false, naming: "a2" as const, locations: { "ollama:local": "linux_wsl" } };
    expect(entryIn(project({ ...everything, settings }).merged, "llava-7b-ollama-gguf").download_location).toBe("linux_wsl");
  });
});

describe("declared models", () => {
  const vllm = backend("vllm", { type: "vllm", url: "http://127.0.0.1:24001" });
  const declared = model(
    "qwen",
    { kind: "huggingface", repo: "Qwen/Qwen3-8B", revision: "main", include: [], exclude: [], layout: "cache" },
    {
      displayName: "Qwen 3",
      backend: "vllm",
      servedModelId: "qwen3-8b",
      launch: { args: ["--max-model-len", "8192"], env: {}, chatTemplate: "templates/q.jinja" },
      roles: [
        { role: "caption", priority: 90 },
        { role: "my-new-role", priority: 0 },
      ],
      aliases: ["chat/default"],
      capabilities: { reasoning: true, vision: true },
      license: "apache-2.0",
      generationDefaults: { temperature: 0.7 },
      extra: { ticket: "ML-1" },
    },
  );
  const desired = desiredOf([declared], [backend("local"), vllm]);
  const { curated = "", discovered, merged } = project({ ...everything, desired });

  it("S0.2 S1.25 projects manifests into the curated layer and lays them over what was observed", () => {
    expect(entriesIn(curated).map((entry) => entry.name)).toEqual(["qwen"]);
    expect(encodeEntries(mergeLayers(read(discovered).sparse, read(curated, "curated").sparse))).toBe(merged);
    expect(Object.keys(JSON.parse(curated)[0])).not.toEqual(expect.arrayContaining(["version_lock"]));
  });

  it("S1.19 S1.23 S1.24 S1.72 S3.16 S3.17 S3.18 S3.19 S3.21 S3.25 S3.26 S3.27 S3.34 S3.35 S3.36 S3.38 S3.58 S3.62 S3.63 S3.90 carries every field of the manifest", () => {
    expect(entryIn(merged, "qwen")).toMatchObject({
      display_name: "Qwen 3",
      backend: "vllm",
      served_model_id: "qwen3-8b",
      backend_config: { port: 24001, host: "127.0.0.1", model_path: qwen.location, extra_args: ["--max-model-len", "8192"] },
      chat_template: { source: "external", path: "templates/q.jinja", sha256: null },
      roles: ["caption", "my-new-role"],
      role_priority: { caption: 90, "my-new-role": 0 },
      model_aliases: ["chat/default"],
      license: "apache-2.0",
      capabilities: { text: true, vision: true, thinking: true, reasoning: true, embedding: false },
      generation_defaults: { temperature: 0.7 },
      metadata: {
        ticket: "ML-1",
        reconciler: { declared: true, state: "present", manifest: "manifests/qwen.yaml", provenance: { vision: "manifest" } },
      },
      deprecated: false,
      profiles_placeholder: null,
    });
  });

  it("S3.22 S3.23 S3.31 S3.32 S3.67 S1.22 shows probes, performance and the aggregate beside the manifest", () => {
    const probe = { vision_ok: true, timestamp: at, probe_version: "1", latency_ms: 12.5, notes: "x" };
    const performance = {
      rolling_samples: 2,
      ttft_ms_avg: 100,
      throughput_toks_per_s_avg: 20.5,
      last_sample: { ttft_ms: 90, tokens_generated: 10, duration_ms: 500 },
    };
    const entry = entryIn(
      project({ ...everything, desired, history: { visionProbes: { qwen: probe }, performance: { qwen: performance } } }).merged,
      "qwen",
    );
    expect(entry).toMatchObject({ probes: { vision: probe }, performance });
    expect(entry.artifacts.aggregate_sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("S1.20 S1.62 S3.28 S3.29 S3.30 S3.43 takes the lock from the lock file and the time from successful verifications, comparable with the aggregate", () => {
    const memory = remembering({ verifications: [{ name: "qwen", at, level: "full", contentDigest: "x" }] });
    const tag = model("llava", "llava:7b");
    const lock = { version: 1 as const, entries: [lockOf("qwen", qwen), lockOf("llava", llava)] };
    const locked = project({ ...everything, memory, lock, desired: desiredOf([declared, tag], [backend("local"), vllm]) });
    const entry = entryIn(locked.merged, "qwen");
    expect(entry.version_lock).toEqual({ locked: true, expected_aggregate_sha256: entry.artifacts.aggregate_sha256, last_verified: at });
    const ollama = entryIn(locked.merged, "llava");
    expect(ollama.version_lock).toEqual({ locked: true, expected_aggregate_sha256: ollama.artifacts.aggregate_sha256, last_verified: null });
    expect(entryIn(merged, "qwen").version_lock).toEqual({ locked: false, expected_aggregate_sha256: null, last_verified: null });
  });

  it("S0.10 keeps the tag as the manifest writes it, and adds only a tag that is missing", () => {
    const models = [model("a", "LLaVA:7B"), model("b", "mistral"), model("c", "hf.co/Org/Repo:Q4_K_M"), model("d", "localhost:5000/ns/m")];
    const ids = entriesIn(project({ desired: desiredOf(models) }).merged).map((entry) => entry.served_model_id);
    expect(ids).toEqual(["LLaVA:7B", "mistral:latest", "hf.co/Org/Repo:Q4_K_M", "localhost:5000/ns/m:latest"]);
  });

  it("matches a declared tag to the store without regard to case", () => {
    const entry = entryIn(project({ ...everything, desired: desiredOf([model("mine", "LLaVA:7B")]) }).merged, "mine");
    expect(entry.metadata["reconciler"]).toMatchObject({ state: "present", digest: llava.contentId });
  });

  it("lists a declared model that is not there, with what is known of it and no download", () => {
    const observed = observedOf(seen("ollama:local", []), unseen("huggingface"));
    const gone = project({ observed, desired: desiredOf([declared, model("llava", "llava:7b")], [backend("local"), vllm]) });
    expect(entryIn(gone.merged, "llava")).toMatchObject({
      download_path: null,
      served_model_id: "llava:7b",
      metadata: { reconciler: { state: "missing", conditions: [{ status: "False", reason: "NotInStore" }] } },
    });
    expect(entryIn(gone.merged, "qwen")).toMatchObject({
      metadata: { reconciler: { state: "unknown", conditions: [{ status: "Unknown", reason: "StoreUnknown" }] } },
    });
  });

  it("S3.39 marks what the manifest deprecates, with the reason", () => {
    const old = model("old", "llava:7b", { lifecycle: { state: "deprecated", reason: "superseded", replacedBy: "qwen" } });
    const entry = entryIn(project({ ...everything, desired: desiredOf([old]) }).merged, "old");
    expect(entry).toMatchObject({ deprecated: true, metadata: { reconciler: { deprecation: { message: "superseded", replaced_by: "qwen" } } } });
  });

  it("S1.65 flags test models", () => {
    const entry = entryIn(project({ desired: desiredOf([model("t", "t:1", { testing: true })]) }).merged, "t");
    expect(entry.metadata["testing"]).toBe(true);
  });

  it("only the files that the manifest wants count", () => {
    const some = model("some", { kind: "huggingface", repo: "Qwen/Qwen3-8B", revision: "main", include: ["*.json"], exclude: [], layout: "cache" });
    expect(entryIn(project({ ...everything, desired: desiredOf([some]) }).merged, "some").download_files).toEqual(["config.json"]);
  });

  it("gives an endpoint that is not plain http://host:port as a whole", () => {
    const api = model("api", { kind: "remote" }, { backend: "cloud" });
    const cloud = backend("cloud", { type: "openai", url: "https://user:secret@api.example.com/openai" });
    const text = project({ desired: desiredOf([api], [cloud]) }).merged;
    expect(entryIn(text, "api")).toMatchObject({ backend: "remote", backend_config: { port: 443, base_url: "https://api.example.com/openai/v1" } });
    expect(text).not.toContain("secret");
  });

  it("reports two manifests for the same files", () => {
    const { findings } = project({ ...everything, desired: desiredOf([model("one", "llava:7b"), model("two", "llava:7b")]) });
    expect(findings.map((finding) => finding.code)).toEqual(["registry.same-download"]);
  });
});

describe("a curated file that somebody else wrote", () => {
  const text = JSON.stringify([
    {
      name: "my-llava",
      backend: "ollama",
      served_model_id: "llava:7b",
      roles: ["caption"],
      backend_config: { extra_args: [] },
      capabilities: { vision: true },
      license: null,
    },
    { name: "elsewhere", backend: "vllm", backend_config: { port: 24001, launch: { x: 1 } }, metadata: { note: "mine" } },
  ]);
  const curated = read(text, "curated");

  it("S1.68 S1.71 K19 is input and never overwritten: its names, roles and settings hold over what was observed", () => {
    const result = project({ ...everything, curated });
    expect(result.curated).toBeUndefined();
    expect(entriesIn(result.merged).map((entry) => entry.name)).toEqual(["elsewhere", "my-llava", "qwen3-8b-safetensors"]);
    expect(entryIn(result.merged, "my-llava")).toMatchObject({
      roles: ["caption"],
      license: "apache-2.0",
      download_path: llava.location,
      metadata: { reconciler: { state: "present" } },
    });
    expect(entryIn(result.merged, "elsewhere")).toMatchObject({ backend_config: { port: 24001, launch: { x: 1 } }, metadata: { note: "mine" } });
  });

  it("S1.68 K19 means the imported model of its name when it says nothing of where the model is", () => {
    const sparse = read(encodeEntries([{ name: "found", backend: "ollama", roles: ["narration"] }]), "curated");
    const memory = remembering({ discovered: [{ store: "ollama:local", ref: llava.ref, name: "found", firstSeen: at }] });
    const result = project({ ...everything, memory, curated: sparse });
    expect(entryIn(result.merged, "found")).toMatchObject({ served_model_id: "llava:7b", download_path: llava.location, roles: ["narration"] });
    expect(entriesIn(result.merged).filter((entry) => entry.served_model_id === "llava:7b")).toHaveLength(1);
  });

  it("S1.27 the merged file is what ImageWorks would merge from the two layers, byte for byte", () => {
    const result = project({ ...everything, curated });
    expect(encodeEntries(mergeLayers(read(result.discovered).sparse, curated.sparse))).toBe(result.merged);
  });

  it("lies below the manifests, and a contradiction is reported", () => {
    const desired = desiredOf([model("my-llava", "llava:7b", { roles: [{ role: "narration", priority: 0 }] })]);
    const result = project({ ...everything, desired, curated });
    expect(entryIn(result.merged, "my-llava").roles).toEqual(["narration"]);
    expect(result.findings).toMatchObject([{ code: "registry.curated-conflict", message: expect.stringContaining("roles") }]);
  });

  it("S1.25 is what is left of a curated file without our own part, and stays the same when only that changes", () => {
    const one = project({ ...everything, desired: desiredOf([model("llava", "llava:7b")]) }).curated ?? "";
    const two = project({ ...everything, desired: desiredOf([model("other", "other:1")]) }).curated ?? "";
    const mixed = (own: string): string => encodeEntries([...read(own, "curated").sparse, ...curated.sparse]);
    expect([curatedInput(one), curatedInput("[]\n")]).toEqual([undefined, undefined]);
    expect(curatedInput(mixed(one))).toBe(curatedInput(mixed(two)));
    expect(read(curatedInput(mixed(one)) ?? "", "curated").entries.map((entry) => entry.name)).toEqual(["my-llava", "elsewhere"]);
    expect([curatedInput(text), curatedInput("{"), curatedInput("{}")]).toEqual([text, "{", "{}"]);
  });

  it("is told from our own curated file, which is output", () => {
    const own = project({ ...everything, desired: desiredOf([model("llava", "llava:7b")]) });
    const later = project({ ...everything, curated: read(own.curated ?? "", "curated") });
    expect(later.curated).toBe("[]\n");
    expect(entriesIn(later.merged).map((entry) => entry.name)).not.toContain("llava");
  });
});

describe("what the memory decides", () => {
  const owned = remembering({
    deprecations: [{ name: "llava", store: "ollama:local", ref: llava.ref, since: at, reason: "not-in-manifests", confirmations: 1 }],
    inventory: [{ name: "llava", store: "ollama:local", ref: llava.ref, origin: "pulled", since: at, sizeBytes: 1, protect: false }],
  });

  it("S0.31 S0.32 K3 a deprecation survives saving and reading again, and ImageWorks resetting the flag", () => {
    const first = project({ ...everything, memory: owned });
    expect(entryIn(first.merged, "llava")).toMatchObject({
      deprecated: true,
      metadata: { reconciler: { deprecation: { reason: "not-in-manifests", since: at } } },
    });
    const reset = entriesIn(first.discovered).map((entry) => ({ ...entry, deprecated: false }));
    expect(project({ ...everything, memory: owned, previous: { discovered: reset } }).merged).toBe(first.merged);
  });

  it("a manifest that declares the model active overrules it", () => {
    const { discovered, merged } = project({ ...everything, memory: owned, desired: desiredOf([model("llava", "llava:7b")]) });
    for (const text of [discovered, merged]) {
      expect(entryIn(text, "llava").deprecated).toBe(false);
      expect(entryIn(text, "llava").metadata["reconciler"]).not.toHaveProperty("deprecation");
    }
  });

  it("S0.12 a name that a manifest claims is taken from what only the memory calls so", () => {
    const { merged } = project({
      ...everything,
      memory: owned,
      desired: desiredOf([model("llava", "other:1")]),
      settings: { includeTesting: false },
    });
    expect(entriesIn(merged).map((entry) => [entry.name, entry.served_model_id])).toEqual([
      ["llava", "other:1"],
      ["llava-7b-ollama-gguf", "llava:7b"],
    ]);
  });

  it("S0.22 S0.35 K4 what was purged or reset does not come back, neither from the files nor from an unreachable store", () => {
    const before = project(everything);
    const gone = projectAgain(before, { observed: observedOf(seen("ollama:local", []), seen("huggingface", [qwen])) });
    expect(entriesIn(gone.merged).map((entry) => entry.name)).toEqual(["qwen3-8b-safetensors"]);
    const tombstone = { name: "llava-7b-ollama-gguf", store: "ollama:local" as const, ref: llava.ref, sizeBytes: 1, purgedAt: at };
    const buried = projectAgain(before, {
      observed: observedOf(unseen("ollama:local"), seen("huggingface", [qwen])),
      memory: remembering({ tombstones: [tombstone] }),
    });
    expect(entriesIn(buried.merged).map((entry) => entry.name)).toEqual(["qwen3-8b-safetensors"]);
  });

  it("S0.35 S0.36 a purged placeholder of another program does not come back from the discovered file", () => {
    const placeholder = { ...emptyEntry("model-ollama-gguf-q6_k", "ollama"), served_model_id: "None" };
    const tombstones = [{ name: placeholder.name, store: "ollama:local" as const, ref: "", sizeBytes: 0, purgedAt: at }];
    expect(entriesIn(project({ previous: { discovered: [placeholder] } }).merged)).toHaveLength(1);
    expect(entriesIn(project({ previous: { discovered: [placeholder] }, memory: remembering({ tombstones }) }).merged)).toEqual([]);
  });
});

describe("models that get another name", () => {
  const before = project(everything);
  const desired = desiredOf([model("llava", "llava:7b")]);

  it("S0.17 are still found under the name from before, seen or not", () => {
    for (const observed of [everything.observed, observedOf(unseen("ollama:local"), seen("huggingface", [qwen]))]) {
      const now = projectAgain(before, { observed, desired });
      expect(findEntry(entriesIn(now.merged), "llava-7b-ollama-gguf")).toMatchObject({ state: "found", entry: { name: "llava" } });
      expect(entryIn(now.merged, "llava").metadata["reconciler"]).toMatchObject({ earlier_names: ["llava-7b-ollama-gguf"] });
      expect(projectAgain(now, { observed, desired }).merged).toBe(now.merged);
    }
  });
});

describe("stores that cannot be seen now", () => {
  const before = project({ ...everything, desired: desiredOf([model("llava", "llava:7b")]) });
  const blind = observedOf(unseen("ollama:local"), unseen("huggingface"));

  it("keep their last facts, marked stale, declared or not", () => {
    const now = projectAgain(before, { observed: blind, desired: desiredOf([model("llava", "llava:7b")]) });
    for (const name of ["llava", "qwen3-8b-safetensors"]) {
      const entry = entryIn(now.merged, name);
      expect(entry.artifacts).toEqual(entryIn(before.merged, name).artifacts);
      expect(entry.metadata["reconciler"]).toMatchObject({ state: "unknown", stale: true, conditions: [{ type: "Ready", status: "Unknown" }] });
    }
    expect(projectAgain(now, { observed: blind, desired: desiredOf([model("llava", "llava:7b")]) }).merged).toBe(now.merged);
  });

  it("are forgotten as stale as soon as they are seen again", () => {
    const now = projectAgain(before, { observed: blind, desired: desiredOf([model("llava", "llava:7b")]) });
    expect(projectAgain(now, { ...everything, desired: desiredOf([model("llava", "llava:7b")]) }).merged).toBe(before.merged);
  });

  it("an incomplete listing proves no absence", () => {
    const now = projectAgain(before, { observed: observedOf(seen("ollama:local", [], { complete: false }), seen("huggingface", [])) });
    expect(entriesIn(now.merged).map((entry) => entry.name)).toEqual(["llava"]);
  });

  it("a store whose backend is no longer declared is not kept", () => {
    const now = projectAgain(before, { observed: observedOf(seen("huggingface", [qwen])), desired: desiredOf([], []) });
    expect(entriesIn(now.merged).map((entry) => entry.name)).toEqual(["qwen3-8b-safetensors"]);
  });
});

describe("entries that another program left in the discovered file", () => {
  const legacy = {
    ...emptyEntry("llava_7b_(Q4_0)", "ollama"),
    served_model_id: "llava:7b",
    roles: ["caption"],
    role_priority: { caption: 80 },
    model_aliases: ["pictures"],
    version_lock: { locked: true, expected_aggregate_sha256: "f".repeat(64), last_verified: at },
    probes: { vision: { vision_ok: true } },
    metadata: { note: "tuned", params: JSON.rawJSON("9.0"), created_from_download: true },
    download_location: "linux_wsl",
  };

  it("S0.17 S0.27 S0.29 S3.65 K2 fills in what is missing and keeps roles, locks, probes, aliases and notes; the old name stays an alias", () => {
    const first = project({ ...everything, previous: { discovered: [legacy] } });
    const entry = entryIn(first.merged, "llava-7b-ollama-gguf");
    expect(entry).toMatchObject({
      download_path: llava.location,
      download_format: "gguf",
      download_location: "linux_wsl",
      roles: ["caption"],
      role_priority: { caption: 80 },
      model_aliases: ["llava_7b_(Q4_0)", "pictures"],
      version_lock: { locked: true, expected_aggregate_sha256: "f".repeat(64) },
      probes: { vision: { vision_ok: true } },
      metadata: { note: "tuned", reconciler: { earlier_names: ["llava_7b_(Q4_0)"] } },
    });
    expect(first.merged).toContain('"params": 9.0');
    expect(first.findings).toMatchObject([{ code: "registry.superseded" }]);
    expect(projectAgain(first, everything).merged).toBe(first.merged);
  });

  it("drops measurements of other bytes under the same tag", () => {
    const first = project({ ...everything, previous: { discovered: [legacy] } });
    const other = { ...llava, contentId: sha256("other") };
    const now = projectAgain(first, { observed: observedOf(seen("ollama:local", [other])) });
    expect(entryIn(now.merged, "llava-7b-ollama-gguf").probes.vision).toBeNull();
  });

  it("S0.20 stay as they are when no store holds their model, and are named", () => {
    const stranger = { ...legacy, name: "stranger", served_model_id: "stranger:1b" };
    const result = project({ ...everything, previous: { discovered: [stranger] } });
    expect(entryIn(result.merged, "stranger")).toEqual(entryIn(encodeEntries([stranger]), "stranger"));
    expect(result.findings).toMatchObject([{ code: "registry.foreign-entry", message: expect.stringContaining("stranger") }]);
  });

  it("S0.32 S0.31 can be deprecated by name", () => {
    const placeholder = { ...emptyEntry("model-ollama-gguf", "ollama"), served_model_id: "None" };
    const deprecations = [
      { name: "model-ollama-gguf", store: "ollama:local" as const, ref: "", since: at, reason: "placeholder" as const, confirmations: 0 },
    ];
    const first = project({ previous: { discovered: [placeholder] }, memory: remembering({ deprecations }) });
    expect(entryIn(first.merged, "model-ollama-gguf").deprecated).toBe(true);
    expect(entryIn(projectAgain(first, { memory: remembering({ deprecations }) }).merged, "model-ollama-gguf").deprecated).toBe(true);
  });

  it("are left alone and reported when they could mean several models", () => {
    const both = observedOf(seen("ollama:local", [llava]), seen("ollama:gpu", [{ ...llava, store: "ollama:gpu" }]));
    const { findings } = project({ observed: both, previous: { discovered: [legacy] } });
    expect(findings.map((finding) => finding.code)).toContain("registry.ambiguous");
  });

  it("do not override a manifest", () => {
    const desired = desiredOf([model("llava", "llava:7b")]);
    const entry = entryIn(project({ ...everything, desired, previous: { discovered: [legacy] } }).merged, "llava");
    expect(entry).toMatchObject({
      roles: [],
      model_aliases: [],
      version_lock: { locked: false },
      probes: { vision: { vision_ok: true } },
      metadata: { reconciler: { earlier_names: ["llava_7b_(Q4_0)"] } },
    });
  });

  it("a lock that came from the lock file ends with its entry there", () => {
    const lock = { version: 1 as const, entries: [lockOf("llava-7b-ollama-gguf", llava)] };
    const locked = project({ ...everything, lock });
    expect(entryIn(locked.merged, "llava-7b-ollama-gguf").version_lock.locked).toBe(true);
    expect(entryIn(projectAgain(locked, everything).merged, "llava-7b-ollama-gguf").version_lock.locked).toBe(false);
  });
});
