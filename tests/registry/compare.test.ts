import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/domain/digest.ts";
import { compareRegistry } from "../../src/registry/compare.ts";
import { emptyEntry, type RegistryEntry } from "../../src/registry/entry.ts";
import { subsetDigest } from "../../src/registry/legacy-digests.ts";
import { findSnapshotEdits } from "../../src/registry/snapshot-edits.ts";
import { entriesIn, hubHolding, observedOf, ollamaHolding, project, read, remembering, seen, unseen } from "./fixtures.ts";

function entry(name: string, more: Partial<RegistryEntry> = {}): RegistryEntry {
  return { ...emptyEntry(name, "ollama"), download_path: "ollama:/x", ...more };
}

const llava = ollamaHolding("llava:7b");
const observed = observedOf(seen("ollama:local", [llava]));
const codes = (entries: readonly RegistryEntry[], where = observed): readonly string[] =>
  compareRegistry({ entries, observed: where }).map((finding) => finding.code);

describe("comparing a registry with the stores", () => {
  it("has nothing to say about what was just projected", () => {
    expect(codes(entriesIn(project({ observed }).merged))).toEqual([]);
  });

  it("S0.13 S0.19 names generic placeholders and the live model they were made for", () => {
    const placeholder = entry("model-ollama-gguf-q4_0", { served_model_id: "llava:7b" });
    const findings = compareRegistry({ entries: [placeholder], observed });
    expect(findings).toMatchObject([
      { code: "registry.not-listed", message: expect.stringContaining("only the placeholder model-ollama-gguf-q4_0") },
      { code: "registry.placeholder", message: expect.stringContaining("made for llava:7b, which is here under that name") },
    ]);
  });

  it("S0.18 S0.19 S0.20 names duplicates with the strategy behind each name", () => {
    const twins = [
      entry("llava-7b-ollama-gguf", { served_model_id: "llava:7b" }),
      entry("llava_7b_(Q4_0)", { served_model_id: "LLaVA:7b", quantization: "q4_0" }),
    ];
    expect(compareRegistry({ entries: twins, observed })).toMatchObject([
      {
        code: "registry.duplicate-model",
        message: expect.stringContaining("llava-7b-ollama-gguf (strategy A without quantization), llava_7b_(Q4_0) (simplified name)"),
        remedy: expect.stringContaining("reset-discovered"),
      },
    ]);
  });

  it("S0.19 names entries of models that are gone, and only when every store was seen completely", () => {
    const gone = [entry("gone", { served_model_id: "gone:1" }), entry("llava", { served_model_id: "llava:7b" })];
    expect(codes(gone)).toEqual(["registry.stale"]);
    expect(codes(gone, observedOf(seen("ollama:local", [llava]), unseen("ollama:gpu")))).toEqual([]);
    expect(codes(gone, observedOf(seen("ollama:local", [llava], { complete: false })))).toEqual([]);
  });

  it("S0.25 explains why a model that is there is not listed", () => {
    expect(compareRegistry({ entries: [], observed })).toMatchObject([
      { code: "registry.not-listed", message: expect.stringContaining("not imported yet"), remedy: "holdfast import" },
    ]);
    expect(compareRegistry({ entries: [entry("llava", { served_model_id: "llava:7b", deprecated: true })], observed })).toMatchObject([
      { code: "registry.hidden", message: expect.stringContaining("it is deprecated"), remedy: "holdfast list --show-deprecated" },
    ]);
    expect(codes(entriesIn(project({ observed, memory: remembering({}), settings: { includeTesting: false } }).merged))).toEqual([
      "registry.not-listed",
    ]);
  });

  it("S0.26 names a missing download_path as the cause", () => {
    expect(compareRegistry({ entries: [entry("llava", { served_model_id: "llava:7b", download_path: null })], observed })).toMatchObject([
      {
        code: "registry.no-download-path",
        message: expect.stringContaining("download_path is missing"),
        remedy: "holdfast rebuild-ollama fills it in",
      },
    ]);
  });

  it("S3.68 reports locks that cover less than the bytes", () => {
    const files = { "config.json": "{}", "model.safetensors": "weights" };
    const held = hubHolding("o/own", "a".repeat(40), files);
    const expected = subsetDigest(Object.entries(files).map(([path, content]) => ({ path, sha256: sha256(content) })));
    const weak = {
      ...emptyEntry("own", "vllm"),
      download_path: held.location ?? "",
      version_lock: { locked: true, expected_aggregate_sha256: expected, last_verified: null },
    };
    expect(compareRegistry({ entries: [weak], observed: observedOf(seen("huggingface", [held])) })).toMatchObject([
      { code: "registry.weak-lock", message: expect.stringContaining("not the weights"), remedy: "holdfast lock own --set-expected --force" },
    ]);
  });
});

describe("edits of the merged file", () => {
  const { discovered, merged } = project({ observed });
  const layers = { curated: [], discovered: read(discovered).sparse };

  it("K7 are reported with what to write where, and only they", () => {
    expect(findSnapshotEdits({ ...layers, merged: read(merged).sparse })).toEqual([]);
    const edited = read(merged).sparse.map((each) => ({ ...each, roles: ["caption"] }));
    expect(findSnapshotEdits({ ...layers, merged: edited })).toMatchObject([
      {
        code: "registry.snapshot-edited",
        message: expect.stringContaining("(roles)"),
        remedy: expect.stringContaining('{"name":"llava-7b-ollama-gguf","roles":["caption"]}'),
      },
    ]);
    expect(findSnapshotEdits({ ...layers, merged: [] })).toMatchObject([{ message: expect.stringContaining("was removed") }]);
    expect(findSnapshotEdits({ ...layers, merged: [...read(merged).sparse, { name: "new", backend: "vllm" }] })).toMatchObject([
      { message: expect.stringContaining("new was added") },
    ]);
  });
});
