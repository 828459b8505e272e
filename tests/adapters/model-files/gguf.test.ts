import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import { describe, expect, it } from "vitest";
import { ggufBytes, ones } from "../../../examples/quickstart/model-bytes.ts";
import { tinyGguf } from "../../../examples/quickstart/models.ts";
import { sha256 } from "../../../src/domain/digest.ts";
import { entry, inspectBytes, rawGguf, temporaryFolder, tensor, text, u32, u64 } from "./raw-files.ts";

const norm = { name: "output_norm.weight", shape: [8], data: ones(8) };

describe("GGUF headers", () => {
  it("understands the tiny chat model", async () => {
    expect(await inspectBytes("tiny.gguf", tinyGguf())).toMatchObject({
      state: "understood",
      facts: {
        format: "gguf",
        family: "llama",
        architecture: "llama",
        parameterCount: 262_272,
        parameterSize: "262.27K",
        quantization: "F32",
        contextLength: 2048,
        embeddingLength: 128,
        license: "apache-2.0",
        capabilities: { text: { value: true, from: "header" }, embedding: { value: false }, tools: { value: false }, thinking: { value: false } },
      },
    });
  });

  it("agrees with @huggingface/gguf on the same file", async () => {
    const file = join(await temporaryFolder(), "tiny.gguf");
    await writeFile(file, tinyGguf({ seed: 7 }));
    const theirs = await gguf(file, { allowLocalFile: true, computeParametersCount: true });
    const finding = await inspectBytes("tiny.gguf", tinyGguf({ seed: 7 }));
    const facts = finding.state === "understood" ? finding.facts : undefined;
    const metadata = new Map<string, unknown>(Object.entries(theirs.metadata));
    expect(facts?.parameterCount).toBe(theirs.parameterCount);
    expect(facts?.architecture).toBe(metadata.get("general.architecture"));
    expect(facts?.contextLength).toBe(metadata.get("llama.context_length"));
    expect(facts?.chatTemplateSha256).toBe(sha256(String(metadata.get("tokenizer.chat_template"))));
  });

  it("knows a model by its magic bytes, whatever the file is called", async () => {
    expect((await inspectBytes(`sha256-${"0".repeat(64)}`, tinyGguf())).state).toBe("understood");
    expect((await inspectBytes("readme.txt", Buffer.from("hello"))).state).toBe("other");
    expect((await inspectBytes("empty", Buffer.alloc(0))).state).toBe("other");
  });

  it("tells embedding models, projectors and templates that call tools or think", async () => {
    const capabilities = async (metadata: Readonly<Record<string, string | number | boolean>>): Promise<unknown> => {
      const finding = await inspectBytes("m.gguf", ggufBytes(metadata, [norm]));
      return finding.state === "understood"
        ? Object.fromEntries(Object.entries(finding.facts.capabilities).map(([name, { value }]) => [name, value]))
        : finding;
    };
    expect(await capabilities({ "general.architecture": "qwen3", "qwen3.pooling_type": 3 })).toEqual({ text: false, embedding: true });
    expect(await capabilities({ "general.architecture": "bert" })).toEqual({ text: false, embedding: true });
    expect(await capabilities({ "general.architecture": "clip", "clip.has_vision_encoder": true })).toEqual({ vision: true });
    expect(await capabilities({ "general.architecture": "clip", "clip.has_audio_encoder": true })).toEqual({ audio: true });
    expect(await capabilities({ "general.architecture": "gemma3", "gemma3.vision.block_count": 27 })).toEqual({
      text: true,
      embedding: false,
      vision: true,
    });
    const template = "{% if tools %}x{% endif %}<think>{{ y }}</think>";
    expect(await capabilities({ "general.architecture": "qwen3", "tokenizer.chat_template": template })).toEqual({
      text: true,
      embedding: false,
      tools: true,
      thinking: true,
    });
  });

  it("names the quantization by file type, else by the encoding of most bytes", async () => {
    const quantization = async (bytes: Buffer): Promise<unknown> => {
      const finding = await inspectBytes("m.gguf", bytes);
      return finding.state === "understood" ? finding.facts.quantization : finding;
    };
    expect(await quantization(rawGguf({ metadata: [entry("general.file_type", 4, u32(15))] }))).toBe("Q4_K_M");
    expect(await quantization(rawGguf({ metadata: [entry("general.file_type", 4, u32(32))] }))).toBe("BF16");
    expect(await quantization(rawGguf({ tensors: [tensor("a", [256], 0, 12), tensor("b", [8], 160, 0)], data: 192 }))).toBe("Q4_K");
  });
});

const hostile: Readonly<Record<string, Buffer>> = {
  "an offset past the end": rawGguf({ tensors: [tensor("a", [16], 4096)] }),
  "a tensor longer than the file": rawGguf({ tensors: [tensor("a", [4096], 0)] }),
  "an offset that wraps around 64 bits": rawGguf({ tensors: [tensor("a", [16], 2n ** 64n - 32n)] }),
  "a size that wraps around 64 bits": rawGguf({ tensors: [tensor("a", [2n ** 62n, 2n ** 62n], 0)] }),
  "2^80 weights of an encoding that nobody knows": rawGguf({ tensors: [tensor("a", [2n ** 40n, 2n ** 40n], 0, 99)] }),
  "an offset past the end, of an encoding that nobody knows": rawGguf({ tensors: [tensor("a", [16], 4096, 99)] }),
  "2^63 tensors": rawGguf({ counts: [2n ** 63n, 0] }),
  "2^63 metadata entries": rawGguf({ counts: [0, 2n ** 63n] }),
  "more entries than there are": rawGguf({ counts: [0, 3], data: 0 }),
  "a text of 4 GB": rawGguf({ metadata: [entry("a", 8, u64(4 * 1024 ** 3))] }),
  "a name of 4 GB": rawGguf({ counts: [0, 1], metadata: [u64(4 * 1024 ** 3)] }),
  "an array of 2^63 numbers": rawGguf({ metadata: [entry("a", 9, Buffer.concat([u32(12), u64(2n ** 63n)]))] }),
  "an array of 2^63 texts": rawGguf({ metadata: [entry("a", 9, Buffer.concat([u32(8), u64(2n ** 63n)]))] }),
  "arrays nested without end": rawGguf({
    metadata: [entry("a", 9, Buffer.concat(Array.from({ length: 1000 }, () => Buffer.concat([u32(9), u64(1)]))))],
  }),
  "overlapping tensors": rawGguf({ tensors: [tensor("a", [16], 0), tensor("b", [16], 32)], data: 128 }),
  "two tensors of one name": rawGguf({ tensors: [tensor("a", [8], 0), tensor("a", [8], 32)] }),
  "a metadata key twice": rawGguf({ metadata: [entry("a", 4, u32(1)), entry("a", 4, u32(2))] }),
  "an offset off the alignment": rawGguf({ tensors: [tensor("a", [4], 4)] }),
  "an alignment of zero": rawGguf({ metadata: [entry("general.alignment", 4, u32(0))] }),
  "an alignment that is a text": rawGguf({ metadata: [entry("general.alignment", 8, text("32"))] }),
  "an alignment beyond reason": rawGguf({ metadata: [entry("general.alignment", 4, u32(2 ** 31))] }),
  "a value type that does not exist": rawGguf({ metadata: [entry("a", 99, u32(1))] }),
  "a tensor of five dimensions": rawGguf({ tensors: [tensor("a", [1, 1, 1, 1, 1], 0)] }),
  "rows that do not fill their blocks": rawGguf({ tensors: [tensor("a", [8], 0, 12)] }),
  "nothing but the magic bytes": Buffer.from("GGUF"),
};

describe("SEC-29 hostile GGUF headers", () => {
  it.each(Object.entries(hostile))("refuses %s", async (_, bytes) => {
    expect(await inspectBytes("m.gguf", bytes)).toMatchObject({ state: "malformed", failure: { code: "integrity", retry: "terminal" } });
  });

  it("refuses versions that no server loads", async () => {
    expect(await inspectBytes("m.gguf", rawGguf({ version: 1 }))).toMatchObject({ state: "malformed", failure: { code: "unsupported" } });
    expect(await inspectBytes("m.gguf", rawGguf({ version: 0x03000000 }))).toMatchObject({
      state: "malformed",
      failure: { code: "unsupported", message: expect.stringContaining("big-endian") },
    });
  });

  it("accepts the same shapes when they are honest", async () => {
    const honest = rawGguf({
      metadata: [entry("a", 9, Buffer.concat([u32(8), u64(2), text("x"), text("y")]))],
      tensors: [tensor("a", [8], 0), tensor("b", [8], 32)],
    });
    expect((await inspectBytes("m.gguf", honest)).state).toBe("understood");
  });
});
