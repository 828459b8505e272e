import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { backend, desiredOf, hubHolding, model, observedOf, ollamaHolding, project, read, seen } from "./fixtures.ts";

const python = spawnSync("python3", ["--version"]).status === 0;

/** Reads the three files as a program of the registry's own language does: types that must not be null, merge of the layers, text of the snapshot. */
const reader = `
import json, os, sys
folder = sys.argv[1]
def load(name):
    with open(os.path.join(folder, name)) as handle:
        text = handle.read()
    return text, json.loads(text)
def dump(value):
    return json.dumps(value, indent=2) + "\\n"
def merge(base, upper):
    merged = dict(base)
    for key, value in upper.items():
        if value is None:
            continue
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
texts, layers = {}, {}
for name in ("curated", "discovered", "merged"):
    texts[name], layers[name] = load(name + ".json")
    assert dump(layers[name]) == texts[name], name + " is not written as json.dump writes it"
    assert texts[name].isascii()
curated = {entry["name"].strip(): entry for entry in layers["curated"]}
names = set()
snapshot = []
for entry in layers["discovered"]:
    snapshot.append(merge(entry, curated[entry["name"]]) if entry["name"] in curated else entry)
    names.add(entry["name"])
snapshot += [entry for entry in layers["curated"] if entry["name"] not in names]
assert dump(snapshot) == texts["merged"], "the snapshot is not what the layers merge to"
downloads = set()
for entry in layers["merged"]:
    assert len(entry) == 32 and isinstance(entry["name"], str) and entry["name"] and isinstance(entry["backend"], str)
    for key in ("backend_config", "capabilities", "generation_defaults", "artifacts", "chat_template", "version_lock", "performance", "probes", "metadata", "role_priority"):
        assert isinstance(entry[key], dict), key
    for key in ("model_aliases", "roles", "backend_alternatives", "download_files"):
        assert isinstance(entry[key], list), key
    assert type(entry["backend_config"]["port"]) is int and isinstance(entry["backend_config"]["extra_args"], list)
    assert type(entry["performance"]["rolling_samples"]) is int and isinstance(entry["artifacts"]["files"], list)
    assert isinstance(entry["artifacts"]["aggregate_sha256"], str) and isinstance(entry["served_model_id"], str)
    assert isinstance(entry["capabilities"]["text"], bool) and isinstance(entry["deprecated"], bool)
    assert entry["download_size_bytes"] is None or type(entry["download_size_bytes"]) is int
    assert not (entry["download_path"] or "").startswith("ollama://")
    assert all(type(priority) is int for priority in entry["role_priority"].values())
    if entry["download_path"]:
        key = (entry["backend"], entry["download_path"].lower(), entry["download_directory_checksum"] or entry["artifacts"]["aggregate_sha256"])
        assert key not in downloads, key
        downloads.add(key)
print(len(layers["merged"]))
`;

describe.skipIf(!python)("the registry files, read by Python", () => {
  const observed = observedOf(
    seen("ollama:local", [ollamaHolding("llava:7b"), ollamaHolding("é/ü:1"), ollamaHolding("model:q4_0")]),
    seen("huggingface", [hubHolding("o/r", "a".repeat(40), { "m.safetensors": "w" })]),
  );
  const desired = desiredOf(
    [
      model("llava", "llava:7b", {
        displayName: "LLaVA – 7B 😀",
        roles: [{ role: "caption", priority: 5 }],
        capabilities: { vision: true },
        generationDefaults: { temperature: 0.7 },
      }),
      model("missing", "absent:1"),
      model("api", { kind: "remote" }, { backend: "cloud" }),
      model("r", { kind: "huggingface", repo: "o/r", revision: "main", include: [], exclude: [], layout: "cache" }),
    ],
    [backend("local"), backend("cloud", { type: "openai", url: "https://api.example.com" })],
  );
  const foreign = JSON.stringify([
    { name: "mine", backend: "ollama", served_model_id: "model:q4_0", license: null, metadata: { x: 1 } },
    { name: "alone", backend: "vllm" },
  ]);

  it.each([
    ["our own curated layer", undefined],
    ["a curated layer written by hand", foreign],
  ])("S1.27 S1.75 S3.41 load with every type that the reader demands and merge to the same bytes, with %s", (_what, curated) => {
    const files = project({
      observed,
      desired: curated === undefined ? desired : desiredOf([]),
      ...(curated === undefined ? {} : { curated: read(curated, "curated") }),
    });
    const folder = mkdtempSync(join(tmpdir(), "holdfast-interop-"));
    try {
      const layer = files.curated ?? `${JSON.stringify(JSON.parse(curated ?? "[]"), null, 2)}\n`;
      for (const [name, text] of Object.entries({ curated: layer, discovered: files.discovered, merged: files.merged }))
        writeFileSync(join(folder, `${name}.json`), text);
      const { status, stdout, stderr } = spawnSync("python3", ["-c", reader, folder], { encoding: "utf8", timeout: 30_000 });
      expect([status, stderr]).toEqual([0, ""]);
      expect(Number(stdout)).toBeGreaterThan(3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
