import { describe, expect, it } from "vitest";
import { aggregateSha256, sha256 } from "../../src/domain/digest.ts";
import { directoryChecksum, downloadListDigest, lockStrength, subsetDigest } from "../../src/registry/legacy-digests.ts";
import { splitSingleFile } from "../../src/registry/legacy.ts";
import { entriesIn, read } from "./fixtures.ts";

const tree: Readonly<Record<string, string>> = {
  ".hid/x": "h",
  "B.txt": "B",
  "config.json": "{}",
  "sub/model.safetensors": "weights",
  "tokenizer.json": "tok",
};
const files = Object.entries(tree).map(([path, content]) => ({ path, size: content.length, sha256: sha256(content) }));

describe("the hash formulas in circulation", () => {
  it("S3.45 S3.23 S3.71 the full formula gives the golden value, in any order of files", () => {
    expect(aggregateSha256(files)).toBe("96f239041b15a0d05254d150e7338dfa927ea02c359008b94c21275a603beece");
    expect(aggregateSha256(files.toReversed())).toBe("96f239041b15a0d05254d150e7338dfa927ea02c359008b94c21275a603beece");
    expect(aggregateSha256([])).toBe(sha256(""));
  });

  it("S3.46 the subset, list and directory formulas give their golden values", () => {
    expect(subsetDigest(files)).toBe("a3f67ca93b741a06028a64882f4463c71ef65c7eab10521c3504893a010dd26a");
    expect(subsetDigest([])).toBe("");
    expect(downloadListDigest(files, ["config.json", "sub/model.safetensors", "gone"])).toBe(
      "0040bce7da1c587aa4348d976bdff827c70a11fbc9d715a653bb08e115f2bdca",
    );
    expect(directoryChecksum(files.toReversed())).toBe("e87bec80a6a30c3b");
  });

  it("S3.68 tells what an expected hash covers", () => {
    expect(lockStrength(aggregateSha256(files), files)).toBe("full");
    expect(lockStrength(subsetDigest(files), files)).toBe("subset");
    expect(lockStrength(directoryChecksum(files), files)).toBe("names-and-sizes");
    expect(lockStrength(downloadListDigest(files, ["config.json"]), files, ["config.json"])).toBe("download-list");
    expect(lockStrength("0".repeat(64), files)).toBe("unrecognised");
  });
});

describe("reading registries of any era", () => {
  it("S3.41 needs name and backend only and fills in the rest", () => {
    const [entry] = entriesIn('[{"name": " a ", "backend": "vllm"}]');
    expect(entry).toMatchObject({
      name: "a",
      display_name: "a",
      backend: "vllm",
      backend_config: { port: 0, model_path: "", extra_args: [] },
      roles: [],
      deprecated: false,
    });
    expect(entry).not.toHaveProperty("served_model_id");
  });

  it("S0.20 leaves out a bad entry with file, line, index, key and reason, and loads the rest", () => {
    const { entries, findings } = read(
      '[\n  {"name": "a", "backend": "vllm"},\n  {"name": "b", "backend": "vllm", "roles": "chat"},\n  {"backend": "x, [ {"},\n  7,\n  {"name": "c", "backend": "ollama"}\n]',
    );
    expect(entries.map((entry) => entry.name)).toEqual(["a", "c"]);
    expect(findings.map(({ code, pointer, location }) => [code, pointer, location?.line, location?.column])).toEqual([
      ["registry.wrong-type", "/1/roles", 3, 3],
      ["registry.missing-key", "/2/name", 4, 3],
      ["registry.wrong-type", "/3", 5, 3],
    ]);
    expect(findings[0]?.message).toContain("registry.json: entry 1 (b): roles is not a list");
  });

  it("S0.20 finds the line of a bad entry behind strings with quotes and brackets in them", () => {
    const { findings } = read('[\n  {"name": "a", "backend": "vllm", "license": "say \\"[{,\\" and \\\\"},\n  {"name": "b", "backend": 7}\n]');
    expect(findings).toMatchObject([{ pointer: "/1/backend", location: { line: 3, column: 3 } }]);
  });

  it("S0.20 reads null where ImageWorks aborts, with one finding for each", () => {
    const { entries, findings } = read(
      '[{"name": "a", "backend": "vllm"}, {"name": "b", "backend": "vllm", "metadata": null}, {"name": "c", "backend": "vllm", "backend_config": {"port": null}, "license": null, "capabilities": null}]',
    );
    expect(entries.map((entry) => entry.name)).toEqual(["a", "b", "c"]);
    expect(entries[1]?.metadata).toEqual({});
    expect(findings.map((finding) => [finding.code, finding.pointer])).toEqual([
      ["registry.null-value", "/1/metadata"],
      ["registry.null-value", "/2/backend_config/port"],
    ]);
  });

  it("reads the texts that mean nothing as nothing", () => {
    const { entries, sparse } = read(
      '[{"name": "model-ollama-gguf-q6_k", "backend": "ollama", "served_model_id": "None", "download_path": "ollama://None", "artifacts": {"aggregate_sha256": "None", "files": []}}]',
    );
    expect(entries[0]).toMatchObject({ download_path: null, artifacts: { aggregate_sha256: "" } });
    expect(entries[0]).not.toHaveProperty("served_model_id");
    expect(sparse[0]).toMatchObject({ served_model_id: null, artifacts: { aggregate_sha256: null } });
  });

  it("S3.74 S3.64 warns once about all placeholders of a file", () => {
    const text = JSON.stringify(["model-ollama-gguf", "model-ollama-gguf-q4_0"].map((name) => ({ name, backend: "ollama" })));
    expect(read(text).findings.map((finding) => finding.code)).toEqual(["registry.legacy-placeholder"]);
  });

  it("keeps the last of repeated names in the discovered layer, at the place of the first, and the first elsewhere", () => {
    const text =
      '[{"name": "s", "backend": "ollama", "family": "1"}, {"name": "t", "backend": "ollama"}, {"name": "s", "backend": "ollama", "family": "2"}]';
    expect(read(text).entries.map((entry) => [entry.name, entry.family])).toEqual([
      ["s", "2"],
      ["t", null],
    ]);
    expect(read(text).findings).toMatchObject([{ severity: "warning", code: "registry.duplicate-name", pointer: "/2/name" }]);
    expect(read(text, "curated").entries.map((entry) => entry.family)).toEqual(["1", null]);
    expect(read(text, "curated").findings).toMatchObject([{ severity: "error", code: "registry.duplicate-name" }]);
  });

  it("S0.20 says what is wrong with a file that is no list of entries, instead of throwing", () => {
    expect(read("{").findings).toMatchObject([{ severity: "error", code: "registry.not-json" }]);
    expect(read('{"name": "a"}').findings).toMatchObject([{ severity: "error", code: "registry.not-a-list" }]);
    expect(read("\ufeff[]").findings).toEqual([]);
  });

  it("S3.64 S3.74 splits the single-file form into layers and says so once", () => {
    const whole = read(
      '[{"name": "a", "backend": "vllm"}, {"name": "b", "backend": "ollama"}, {"name": "c", "backend": "vllm", "metadata": {"created_from_download": true}}, {"name": "d", "backend": "unassigned"}]',
    );
    const { curated, discovered, findings } = splitSingleFile(whole, "model_registry.json");
    expect(curated.entries.map((entry) => entry.name)).toEqual(["a"]);
    expect(discovered.sparse.map((entry) => entry["name"])).toEqual(["b", "c", "d"]);
    expect(findings.map((finding) => finding.code)).toEqual(["registry.legacy-single-file"]);
  });
});
