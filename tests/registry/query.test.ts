import { describe, expect, it } from "vitest";
import { describeAbsence } from "../../src/registry/absence.ts";
import { emptyEntry, type RegistryEntry } from "../../src/registry/entry.ts";
import { findEntry, listEntries, listRow } from "../../src/registry/query.ts";
import { desiredOf, entriesIn, model, observedOf, ollamaHolding, project, seen } from "./fixtures.ts";

function entry(name: string, more: Partial<RegistryEntry> = {}): RegistryEntry {
  return { ...emptyEntry(name, "ollama"), ...more };
}

const entries = [
  entry("Zephyr", { served_model_id: "zephyr:7b", roles: ["chat"], download_format: "gguf", download_location: "linux_wsl" }),
  entry("llava", {
    display_name: "aLlava",
    served_model_id: "llava:7b",
    roles: ["caption"],
    capabilities: { text: true, vision: true },
    model_aliases: ["chat/default", "pictures"],
  }),
  entry("old", { served_model_id: "old:1", deprecated: true }),
  entry("testmodel-x", { served_model_id: "testmodel:x" }),
  entry("vl", { backend: "vllm", capabilities: { vl: true }, roles: ["caption"], download_format: "safetensors" }),
];
const names = (list: readonly RegistryEntry[]): readonly string[] => list.map((each) => each.name);

describe("listing", () => {
  it("S0.7 S0.33 S1.28 lists logical entries by display name, without deprecated and test models", () => {
    expect(names(listEntries(entries))).toEqual(["llava", "vl", "Zephyr"]);
  });

  it("S0.34 S0.40 shows deprecated entries when asked", () => {
    expect(names(listEntries(entries, { showDeprecated: true }))).toEqual(["llava", "old", "vl", "Zephyr"]);
  });

  it("S1.65 S1.66 shows test models when asked, and a declared model whatever its name", () => {
    expect(names(listEntries(entries, { includeTesting: true }))).toContain("testmodel-x");
    const declared = entriesIn(project({ desired: desiredOf([model("testmodel-mine", "x:1"), model("hidden", "y:1", { testing: true })]) }).merged);
    expect(names(listEntries(declared))).toEqual(["testmodel-mine"]);
    expect(names(listEntries(entries, { testPatterns: ["zeph"] }))).toEqual(["llava", "vl"]);
  });

  it("S1.5 S1.6 S1.30 filters by role, backend, format, location and capability under any spelling", () => {
    expect(names(listEntries(entries, { role: "caption" }))).toEqual(["llava", "vl"]);
    expect(names(listEntries(entries, { role: "caption", backend: "vllm" }))).toEqual(["vl"]);
    expect(names(listEntries(entries, { capabilities: ["multimodal"] }))).toEqual(["llava", "vl"]);
    expect(names(listEntries(entries, { format: "gguf" }))).toEqual(["llava", "Zephyr"]);
    expect(names(listEntries(entries, { location: "elsewhere" }))).toEqual(["llava", "vl"]);
  });

  it("S1.48 tells backend, lock, capabilities and what the last vision probe found, as the list of the registry API does", () => {
    const probed = { ...entry("seer"), probes: { vision: { vision_ok: false } } };
    expect(listRow(probed)).toMatchObject({ name: "seer", backend: "ollama", locked: false, capabilities: [], vision_ok: false });
    expect(listRow({ ...probed, probes: { vision: { vision_ok: true } } }).vision_ok).toBe(true);
    expect(listRow(entry("seer")).vision_ok).toBeNull();
  });

  it("S1.23 S1.24 S1.29 gives rows with everything that a table shows", () => {
    const held = ollamaHolding("llava:7b");
    const [projected] = entriesIn(project({ observed: observedOf(seen("ollama:local", [held])) }).merged);
    if (projected === undefined) throw new Error("nothing projected");
    expect(listRow(projected)).toEqual({
      name: "llava-7b-ollama-gguf",
      display_name: "llava-7b-ollama-gguf",
      backend: "ollama",
      locked: false,
      vision: true,
      roles: [],
      hash: projected.artifacts.aggregate_sha256.slice(0, 12),
      deprecated: false,
      installed: true,
      size_bytes: projected.download_size_bytes,
      format: "gguf",
      quantization: null,
      location: null,
      family: "llava-7b",
      served_model_id: "llava:7b",
      aliases: [],
      capabilities: ["text", "vision"],
      vision_ok: null,
      digest: held.contentId,
    });
    expect(listRow(projected).hash).toMatch(/^[0-9a-f]{12}$/);
  });

  it("S1.29 K6 says nothing about what it does not know", () => {
    expect(listRow(entry("x"))).toMatchObject({ hash: "", installed: null, digest: null });
    const [missing] = entriesIn(project({ desired: desiredOf([model("m", "m:1")]), observed: observedOf(seen("ollama:local", [])) }).merged);
    expect(missing === undefined ? undefined : listRow(missing).installed).toBe(false);
  });
});

describe("finding", () => {
  it.each([
    ["llava", "name", "llava"],
    ["llava:7b", "served-id", "llava"],
    ["registry.ollama.ai/library/LLaVA:7b", "served-id", "llava"],
    ["chat/default", "alias", "llava"],
    ["llava-7b-ollama-gguf", "earlier-name", "llava"],
    ["zephyr-7b-ollama-gguf", "earlier-name", "Zephyr"],
    ["old", "name", "old"],
  ])("S0.17 S1.50 S3.34 S3.66 finds %s by its %s", (wanted, by, name) => {
    expect(findEntry(entries, wanted)).toMatchObject({ state: "found", by, entry: { name } });
  });

  it("S3.66 puts names before served ids and served ids before aliases, and deprecated entries last", () => {
    const tangled = [
      entry("a", { model_aliases: ["x:1"] }),
      entry("b", { served_model_id: "x:1" }),
      entry("c", { served_model_id: "x:1", deprecated: true }),
    ];
    expect(findEntry(tangled, "x:1")).toMatchObject({ state: "found", by: "served-id", entry: { name: "b" } });
    expect(findEntry([...tangled, entry("x:1")], "x:1")).toMatchObject({ by: "name" });
  });

  it("reports what is ambiguous instead of guessing", () => {
    const twins = [entry("a", { model_aliases: ["x"] }), entry("b", { model_aliases: ["x"] })];
    expect(findEntry(twins, "x")).toMatchObject({ state: "ambiguous", by: "alias", entries: [{ name: "a" }, { name: "b" }] });
    expect(describeAbsence(twins, "x")).toMatchObject({ kind: "ambiguous", nearest: ["a", "b"] });
  });
});

describe("explaining absence", () => {
  it("S1.76 says that a name is not there, with the nearest ones", () => {
    expect(describeAbsence(entries, "lava")).toMatchObject({ kind: "absent", nearest: ["llava"], remedy: "did you mean llava?" });
    expect(describeAbsence(entries, "zephyr-7b-instruct-of-some-kind")).toMatchObject({ nearest: [] });
    expect(describeAbsence([entry("qwen2.5-coder-7b-ollama-gguf")], "coder")).toMatchObject({ nearest: ["qwen2.5-coder-7b-ollama-gguf"] });
    expect(describeAbsence(entries, "qqqqqqqqqq")).toMatchObject({ kind: "absent", nearest: [] });
  });

  it("S1.76 says by what a name is filtered out, and what would do instead", () => {
    expect(describeAbsence(entries, "old")).toMatchObject({
      kind: "filtered",
      message: expect.stringContaining("deprecated"),
      remedy: expect.stringContaining("--show-deprecated"),
    });
    expect(describeAbsence(entries, "testmodel-x")).toMatchObject({ kind: "filtered", remedy: expect.stringContaining("--include-testing") });
    expect(describeAbsence(entries, "Zephyr", { role: "caption", capabilities: ["vision"] })).toMatchObject({
      kind: "filtered",
      message: "Zephyr is in the registry but it does not have the role caption and it cannot do vision",
      nearest: ["llava", "vl"],
    });
    expect(describeAbsence(entries, "llava")).toBeUndefined();
  });

  it("S0.13 says that a placeholder stands for no model, and which model it was made for", () => {
    const placeholder = entry("model-ollama-gguf-q6_k", { served_model_id: "hf.co/o/r:Q6_K" });
    expect(describeAbsence([placeholder], placeholder.name)).toMatchObject({ kind: "placeholder", remedy: "use hf.co/o/r:Q6_K" });
    expect(describeAbsence([], "model-ollama-gguf")).toMatchObject({ kind: "placeholder" });
  });
});
