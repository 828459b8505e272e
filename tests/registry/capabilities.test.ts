import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalCapability } from "../../src/domain/capability-name.ts";
import {
  capabilityFromOllama,
  hasCapability,
  mergeCapabilities,
  missingCapabilities,
  normalizeCapabilities,
} from "../../src/registry/capabilities.ts";
import {
  capabilitiesOf,
  defaultCapabilities,
  familyOf,
  knownModelClaims,
  knownModels,
  lookupKnownModel,
  nameClaims,
  registerKnownModel,
  type KnownModel,
} from "../../src/registry/known-models.ts";
import { knownModelsForRole, matchesRole, recommend, type Candidate } from "../../src/registry/model-roles.ts";

describe("capability names", () => {
  it("S1.14 S1.18 S3.22 brings every spelling into one schema that always states the same names", () => {
    expect(normalizeCapabilities({ Multimodal: true, "function-calling": true, embed: false, cot: true, odd: true })).toEqual({
      text: true,
      vision: true,
      audio: false,
      embedding: false,
      tools: true,
      thinking: true,
      reasoning: true,
      odd: true,
    });
  });

  it("S1.14 takes a capability for there when any spelling says so, in any order", () => {
    expect(normalizeCapabilities({ vision: true, vl: false })).toMatchObject({ vision: true });
    expect(normalizeCapabilities({ vl: false, vision: true })).toMatchObject({ vision: true });
  });

  it("S1.14 states text for a map that says nothing about it, unless the model only embeds", () => {
    expect(normalizeCapabilities({})).toMatchObject({ text: true });
    expect(normalizeCapabilities({ embeddings: true })).toMatchObject({ text: false, embedding: true });
    expect(normalizeCapabilities({ chat: false })).toMatchObject({ text: false });
  });

  it("S1.6 S1.32 S1.78 names the capabilities that are missing, whatever they are called", () => {
    expect(hasCapability({ vl: true }, "vision")).toBe(true);
    expect(missingCapabilities({ text: true, vision: false }, ["visual", "text", "reasoner", "thinking"])).toEqual(["vision", "thinking"]);
  });

  it("takes Ollama's capability `image` for making pictures, not for seeing", () => {
    expect(capabilityFromOllama("image")).toBe("image_generation");
    expect(capabilityFromOllama("completion")).toBe("text");
    expect(canonicalCapability("image")).toBe("vision");
  });

  it("normalising twice is normalising once", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("vl", "Vision", "text", "tool_use", "r1", "x", "embed"), fc.boolean()), (map) => {
        const once = normalizeCapabilities(map);
        expect(normalizeCapabilities(once)).toEqual(once);
        expect(Object.keys(once)).toEqual(Object.keys(normalizeCapabilities(once)));
      }),
    );
  });
});

describe("merging claims", () => {
  it("S2.3 prefers probe over show over model_info over header over table over name, and the manifest over all", () => {
    const sources = ["probe", "show", "model_info", "header", "known-model", "name"] as const;
    for (const [index, from] of sources.entries()) {
      const weaker = sources.slice(index + 1).map((other) => ({ name: "vision", value: false, from: other }));
      const merged = mergeCapabilities([...weaker, { name: "visual", value: true, from }], {});
      expect(merged).toMatchObject({ values: { vision: true }, provenance: { vision: from } });
    }
    expect(mergeCapabilities([{ name: "vision", value: true, from: "probe" }], { vision: false })).toMatchObject({
      values: { vision: false },
      provenance: { vision: "manifest" },
    });
  });

  it("does not depend on the order of claims", () => {
    const claim = fc.record({ name: fc.constantFrom("vision", "vl", "tools"), value: fc.boolean(), from: fc.constantFrom("probe", "show", "name") });
    fc.assert(
      fc.property(
        fc.array(claim, { maxLength: 8 }).chain((claims) => fc.tuple(fc.constant(claims), fc.shuffledSubarray(claims, { minLength: claims.length }))),
        ([claims, shuffled]) => {
          expect(JSON.stringify(mergeCapabilities(shuffled, {}))).toBe(JSON.stringify(mergeCapabilities(claims, {})));
        },
      ),
    );
  });

  it("never takes a name to mean tools", () => {
    expect(nameClaims("qwen2.5-coder:7b").map((claim) => claim.name)).toEqual(["coding_optimized"]);
    expect(nameClaims("nomic-embed-text").map((claim) => claim.name)).toEqual(["embedding"]);
    expect(nameClaims("qwen2.5vl:7b").map((claim) => claim.name)).toEqual(["vision"]);
    expect(nameClaims("vlad")).toEqual([]);
  });
});

interface Row {
  readonly name: string;
  readonly displayName: string;
  readonly family: string;
  readonly contextSize: number;
  readonly traits: string;
  readonly temperature: number;
}

const table: readonly Row[] = [
  { name: "llama3.1", displayName: "Llama 3.1", family: "Llama", contextSize: 128_000, traits: "tools", temperature: 0.7 },
  { name: "llama3.2-vision", displayName: "Llama 3.2 Vision", family: "Llama", contextSize: 128_000, traits: "tools vision", temperature: 0.7 },
  { name: "codellama", displayName: "Code Llama", family: "CodeLlama", contextSize: 16_384, traits: "coding", temperature: 0.2 },
  { name: "mistral", displayName: "Mistral", family: "Mistral", contextSize: 32_768, traits: "tools", temperature: 0.7 },
  { name: "mixtral", displayName: "Mixtral", family: "Mistral", contextSize: 32_768, traits: "tools", temperature: 0.7 },
  { name: "gemma2", displayName: "Gemma 2", family: "Gemma", contextSize: 8192, traits: "", temperature: 0.7 },
  { name: "phi3", displayName: "Phi-3", family: "Phi", contextSize: 128_000, traits: "", temperature: 0.7 },
  { name: "qwen2.5", displayName: "Qwen 2.5", family: "Qwen", contextSize: 32_768, traits: "tools", temperature: 0.7 },
  { name: "qwen2.5-coder", displayName: "Qwen 2.5 Coder", family: "Qwen", contextSize: 32_768, traits: "tools coding", temperature: 0.2 },
  { name: "deepseek-coder", displayName: "DeepSeek Coder", family: "DeepSeek", contextSize: 16_384, traits: "coding", temperature: 0.2 },
];

describe("known models", () => {
  it("S2.21 S2.22 S2.23 S2.24 S2.25 S2.26 S2.27 S2.28 S2.29 S2.30 S2.31 S2.15 S2.16 S2.17 S2.18 S2.19 S2.79 are those of the table", () => {
    const rows = table.map(({ name, displayName, family, contextSize, traits, temperature }) => {
      const [toolCalling, vision, codingOptimized] = ["tools", "vision", "coding"].map((trait) => traits.includes(trait));
      return {
        name,
        displayName,
        family,
        capabilities: { contextSize, toolCalling, vision, jsonMode: true, codingOptimized, embedding: false },
        defaultTemperature: temperature,
      };
    });
    expect(table.map(({ name }) => lookupKnownModel(knownModels, name))).toEqual(rows);
  });

  it("S2.32 S2.38 starts with all ten", () => {
    expect(knownModels.map((known) => known.name)).toEqual(table.map(({ name }) => name));
  });

  it("S2.33 S3.1 is data: a model can be added or replaced without touching the built-in table", () => {
    const mine: KnownModel = {
      name: "phi3",
      displayName: "Mine",
      family: "Phi",
      capabilities: { ...defaultCapabilities, vision: true },
      defaultTemperature: 0,
    };
    const changed = registerKnownModel(registerKnownModel(knownModels, mine), { ...mine, name: "new" });
    expect(changed).toHaveLength(11);
    expect(capabilitiesOf(changed, "phi3:mini").vision).toBe(true);
    expect(capabilitiesOf(knownModels, "phi3:mini").vision).toBe(false);
  });

  it("S2.34 S2.35 S2.36 finds the exact name first, then the part before the first colon, then nothing", () => {
    const exact: KnownModel = { name: "llama3.1:8b", displayName: "x", family: "Llama", capabilities: defaultCapabilities, defaultTemperature: 0 };
    expect(lookupKnownModel(registerKnownModel(knownModels, exact), "llama3.1:8b")).toBe(exact);
    expect(lookupKnownModel(knownModels, "llama3.1:8b")?.name).toBe("llama3.1");
    expect(lookupKnownModel(knownModels, "llama3.1-custom")).toBeUndefined();
    expect(lookupKnownModel(knownModels, "me/llama3.1:8b")).toBeUndefined();
    expect(lookupKnownModel(knownModels, "hf.co/a/llama3.1")).toBeUndefined();
  });

  it("S2.9 S2.10 S2.11 S2.12 S2.13 S2.14 S2.37 gives unknown models the defaults", () => {
    expect(capabilitiesOf(knownModels, "nobody:1b")).toEqual({
      contextSize: 4096,
      toolCalling: false,
      vision: false,
      jsonMode: true,
      codingOptimized: false,
      embedding: false,
    });
  });

  it("S2.20 gives unknown models the family Other", () => {
    expect([familyOf(knownModels, "mixtral:8x7b"), familyOf(knownModels, "nobody")]).toEqual(["Mistral", "Other"]);
  });

  it("claims what the table says, weaker than any fact", () => {
    expect(mergeCapabilities([...knownModelClaims(knownModels, "llama3.1:8b"), { name: "tools", value: false, from: "show" }], {})).toMatchObject({
      values: { tools: false, json_mode: true },
      provenance: { tools: "show", json_mode: "known-model" },
    });
  });
});

describe("roles and recommendation", () => {
  const names = (role: Parameters<typeof knownModelsForRole>[1]): readonly string[] =>
    knownModelsForRole(knownModels, role).map((known) => known.name);

  it("S2.39 S2.40 S2.41 S2.42 S2.43 S2.44 matches roles by capability", () => {
    expect(names("general")).toHaveLength(10);
    expect(names("coding")).toEqual(["codellama", "qwen2.5-coder", "deepseek-coder"]);
    expect(names("fast")).toEqual(["gemma2"]);
    expect(names("tool-use")).toEqual(["llama3.1", "llama3.2-vision", "mistral", "mixtral", "qwen2.5", "qwen2.5-coder"]);
    expect(names("vision")).toEqual(["llama3.2-vision"]);
    expect(matchesRole({ ...defaultCapabilities, contextSize: 8192 }, "fast")).toBe(true);
    expect(matchesRole({ ...defaultCapabilities, contextSize: 8193 }, "fast")).toBe(false);
  });

  const candidate = (name: string, more: Partial<Candidate> = {}): Candidate => ({
    name,
    state: "available",
    capabilities: defaultCapabilities,
    ...more,
  });

  it("S2.6 S2.70 S2.82 recommends the most recently used model that is here and fits", () => {
    const old = candidate("llama3.1:8b", { lastUsed: "2026-01-01T00:00:00Z" });
    const recent = candidate("mistral:7b", { lastUsed: "2026-02-01T00:00:00Z" });
    const gone = candidate("qwen2.5:7b", { state: "not-present", lastUsed: "2026-03-01T00:00:00Z" });
    const coming = candidate("mixtral:8x7b", { state: "pulling", lastUsed: "2026-03-01T00:00:00Z" });
    const broken = candidate("qwen2.5-coder:7b", { state: "error", lastUsed: "2026-03-01T00:00:00Z" });
    expect(recommend(knownModels, [old, gone, broken, recent, coming], "tool-use")).toBe(recent);
  });

  it("S2.71 judges unknown models by what was observed of them", () => {
    const unknown = candidate("own:1b", { capabilities: { ...defaultCapabilities, vision: true } });
    expect(recommend(knownModels, [candidate("gemma2:9b"), unknown], "vision")).toBe(unknown);
  });

  it("S2.72 recommends nothing rather than failing, and the same of equals whatever their order", () => {
    expect(recommend(knownModels, [candidate("gemma2:9b")], "vision")).toBeUndefined();
    const all = ["b:1", "a:1", "c:1"].map((name) => candidate(name));
    expect(recommend(knownModels, all, "general")?.name).toBe("a:1");
    expect(recommend(knownModels, all.toReversed(), "general")?.name).toBe("a:1");
  });
});
