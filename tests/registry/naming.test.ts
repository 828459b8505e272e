import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignName } from "../../src/registry/assign-name.ts";
import { emptyEntry, type RegistryEntry } from "../../src/registry/entry.ts";
import { earlierNames, namingEraOf } from "../../src/registry/naming-eras.ts";
import { nameOfRef, parseRefParts } from "../../src/registry/naming.ts";
import { isPlaceholder, resolvePlaceholder } from "../../src/registry/placeholder.ts";
import { hubHolding, ollamaHolding } from "./fixtures.ts";

const ollama = { backend: "ollama", format: "gguf" };

const golden: readonly (readonly [ref: string, family: string, quant: string | undefined, a2: string, simple: string])[] = [
  ["llava:7b", "llava-7b", undefined, "llava-7b-ollama-gguf", "llava_7b"],
  ["mistral", "mistral", undefined, "mistral-ollama-gguf", "mistral"],
  ["mistral:latest", "mistral-latest", undefined, "mistral-latest-ollama-gguf", "mistral-latest"],
  ["llama3.1:8b-instruct-q4_K_M", "llama3.1-8b-instruct-q4-k-m", undefined, "llama3.1-8b-instruct-q4-k-m-ollama-gguf", "llama3.1-8b-instruct"],
  ["testmodel:Q4_K", "testmodel", "q4_k", "testmodel-ollama-gguf-q4_k", "testmodel_(Q4_K)"],
  [
    "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    "llama-3.2-1b-instruct",
    "q4_k_m",
    "llama-3.2-1b-instruct-ollama-gguf-q4_k_m",
    "llama-3.2-1b-instruct_(Q4_K_M)",
  ],
  [
    "hf.co/huihui-ai/Huihui-gpt-oss-20b-mxfp4-abliterated-v2:latest",
    "huihui-gpt-oss-20b-abliterated-v2-latest",
    "mxfp4",
    "huihui-gpt-oss-20b-abliterated-v2-latest-ollama-gguf-mxfp4",
    "huihui-gpt-oss-20b-abliterated-v2-latest_(MXFP4)",
  ],
  ["huihui_ai/gpt-oss-abliterated:20b", "gpt-oss-abliterated-20b", undefined, "gpt-oss-abliterated-20b-ollama-gguf", "gpt-oss-abliterated_20b"],
  ["deepseek-r1:1.5b", "deepseek-r1-1.5b", undefined, "deepseek-r1-1.5b-ollama-gguf", "deepseek-r1-1.5b"],
  ["a/b:x", "b-x", undefined, "b-x-ollama-gguf", "b-x"],
  ["localhost:5000/ns/m:tag", "localhost-5000-ns-m:tag", undefined, "localhost-5000-ns-m-tag-ollama-gguf", "localhost-5000-ns-m-tag"],
  ["model:q4_0", "model", "q4_0", "model-ollama-gguf-q4_0", "model_(Q4_0)"],
];

describe("names made from references", () => {
  const vectors = golden.map(([ref, family, quant, a2, simple]) => ({ ref, family, quant, a2, simple }));

  it.each(vectors)("S0.14 names $ref by the golden vectors", ({ ref, family, quant, a2, simple }) => {
    expect(parseRefParts(ref)).toEqual(quant === undefined ? { family } : { family, quant });
    expect(nameOfRef(ref, "a2", ollama)).toBe(a2);
    expect(nameOfRef(ref, "simple")).toBe(simple);
  });

  it("S0.14 my-model:7b becomes my-model-7b-ollama-gguf under Strategy A", () => {
    expect(nameOfRef("my-model:7b", "a1", ollama)).toBe("my-model-7b-ollama-gguf");
    expect(assignName(ollamaHolding("my-model:7b"), new Set(), "a2")).toBe("my-model-7b-ollama-gguf");
  });

  it("adds a quantization from elsewhere in strategy A2 and the simple form only, and never twice", () => {
    expect(nameOfRef("llava:7b", "a1", { ...ollama, quant: "Q4_0" })).toBe("llava-7b-ollama-gguf");
    expect(nameOfRef("llava:7b", "a2", { ...ollama, quant: "Q4_0" })).toBe("llava-7b-ollama-gguf-q4_0");
    expect(nameOfRef("llava:7b", "simple", { quant: "Q4_0" })).toBe("llava_7b_(Q4_0)");
    expect(nameOfRef("llama3.1:8b-instruct-q4_K_M", "a2", { ...ollama, quant: "Q4_K_M" })).toBe("llama3.1-8b-instruct-q4-k-m-ollama-gguf");
    expect(nameOfRef("llava:7b", "a2", { ...ollama, quant: "unknown" })).toBe("llava-7b-ollama-gguf");
  });

  it.each(["mxfp4", "iq3_m", "q4_k_xl", "8b-instruct-q4_K_M"])("does not take the tag %s for a quantization", (tag) => {
    expect(parseRefParts(`x:${tag}`).quant).toBeUndefined();
  });
});

describe("assigned names", () => {
  it("S0.12 S0.15 disambiguates two references with one Strategy A name by namespace, then by digest", () => {
    const first = assignName(ollamaHolding("a/b:x"), new Set(), "a2");
    const second = assignName(ollamaHolding("c/b:x"), new Set([first]), "a2");
    expect([first, second]).toEqual(["b-x-ollama-gguf", "c-b-x-ollama-gguf"]);
    const third = assignName(ollamaHolding("other.host/c/b:x", { contentId: "abcdef0123456789" }), new Set([first, second]), "a2");
    expect(third).toBe("c-b-x-ollama-gguf-abcdef012345");
  });

  it("S0.11 never gives a real model a placeholder name, not even one that is called model", () => {
    expect(assignName(ollamaHolding("model:q4_0"), new Set(), "a2")).toBe("library-model-ollama-gguf-q4_0");
    expect(assignName(ollamaHolding("model:q4_0"), new Set(), "a1")).toBe("library-model-ollama-gguf");
    expect(assignName(ollamaHolding("model-ollama-gguf/model:q4_0"), new Set(), "a2")).toMatch(/^ollama-/);
  });

  it("names Hub snapshots by repository and container, old snapshots of the same repository apart", () => {
    const files = { "model.safetensors": "w" };
    const first = assignName(hubHolding("Qwen/Qwen3-8B", "1".repeat(40), files), new Set(), "a2");
    const second = assignName(hubHolding("Qwen/Qwen3-8B", "2".repeat(40), files), new Set([first, `qwen-${first}`]), "a2");
    expect([first, second]).toEqual(["qwen3-8b-safetensors", "qwen-qwen3-8b-safetensors-222222222222"]);
  });

  it("S0.11 S0.12 gives any set of references different names, none of them a placeholder", () => {
    const part = fc.constantFrom("model", "a", "b", "model-ollama-gguf", "q4_0", "7b", "gguf", "X");
    const ref = fc
      .tuple(fc.constantFrom("registry.ollama.ai", "localhost:5000"), part, part, part)
      .map(([host, ns, name, tag]) => `${host}/${ns}/${name}:${tag}`);
    fc.assert(
      fc.property(fc.uniqueArray(ref, { maxLength: 30 }), fc.constantFrom("a1", "a2", "simple"), (refs, naming) => {
        const taken = new Set<string>();
        for (const each of refs) {
          const name = assignName(ollamaHolding(each, { contentId: "0".repeat(64) }), taken, naming);
          expect(taken.has(name)).toBe(false);
          expect(name.startsWith("model-ollama-gguf")).toBe(false);
          taken.add(name);
        }
      }),
    );
  });
});

function entry(name: string, more: Partial<RegistryEntry> = {}): RegistryEntry {
  const { served_model_id: _served, ...rest } = emptyEntry(name, "ollama");
  return { ...rest, ...more };
}

describe("placeholders and eras", () => {
  const placeholder = entry("model-ollama-gguf-q6_k", {
    backend_config: { port: 0, model_path: "hf.co/mradermacher/Some-Model-GGUF:Q6_K", extra_args: [] },
    download_path: "ollama://None",
  });

  it("S0.13 S0.30 recognises placeholders by name and finds the reference they were made for", () => {
    expect(isPlaceholder(placeholder)).toBe(true);
    expect(resolvePlaceholder(placeholder)).toBe("hf.co/mradermacher/Some-Model-GGUF:Q6_K");
    expect(resolvePlaceholder(entry("model-ollama-gguf", { served_model_id: "None", download_path: "ollama://None" }))).toBeUndefined();
    expect(isPlaceholder(entry("model-ollama-gguf"))).toBe(true);
    expect(isPlaceholder(entry("model-ollama-gguf-q4_0", { served_model_id: "llava:7b" }))).toBe(true);
  });

  it("S0.30 does not take the real model `model:q4_0` for a placeholder", () => {
    expect(isPlaceholder(entry("model-ollama-gguf-q4_0", { served_model_id: "model:q4_0" }))).toBe(false);
    expect(isPlaceholder(entry("llava-7b-ollama-gguf"))).toBe(false);
  });

  it.each([
    ["llava-7b-ollama-gguf", "llava:7b", null, "a1"],
    ["llava-7b-ollama-gguf-q4_0", "llava:7b", "q4_0", "a2"],
    ["testmodel-ollama-gguf-q4_k", "testmodel:Q4_K", null, "a2"],
    ["llava_7b_(Q4_0)", "llava:7b", "q4_0", "simple"],
    ["mistral", "mistral", null, "simple"],
    ["c-b-x-ollama-gguf", "c/b:x", null, "a1"],
    ["qwen3_8.2b_(Q4_K_M)", "qwen3:8b", "q4_k_m", "simple"],
    ["my favourite", "llava:7b", null, "unknown"],
  ])("S0.18 tells which strategy made the name %s", (name, served, quantization, era) => {
    expect(namingEraOf(entry(name, { served_model_id: served, quantization }))).toBe(era);
  });

  it("S0.18 tells placeholders and declared names apart", () => {
    expect(namingEraOf(placeholder)).toBe("placeholder");
    const declared = entry("llava", { served_model_id: "llava:7b", metadata: { reconciler: { uid: "u", state: "present", declared: true } } });
    expect(namingEraOf(declared)).toBe("declared");
  });

  it("S0.17 knows the names that every earlier strategy gave to a model", () => {
    const now = entry("qwen", {
      served_model_id: "qwen3:8b",
      quantization: "q4_k_m",
      metadata: { ollama_family: "qwen3", ollama_parameter_size: "8.2B" },
    });
    expect(earlierNames(now)).toEqual(
      expect.arrayContaining(["qwen3-8b-ollama-gguf", "qwen3-8b-ollama-gguf-q4_k_m", "qwen3_8b", "qwen3_8b_(Q4_K_M)", "qwen3_8.2b_(Q4_K_M)"]),
    );
    expect(earlierNames(entry("x", { served_model_id: "hf.co/a/B-GGUF:Q6_K" }))).toContain("hf.co-a-b-gguf-ollama");
    expect(earlierNames(entry("x", { served_model_id: "model:q4_0" })).some((name) => name.startsWith("model-ollama-gguf"))).toBe(false);
  });
});
