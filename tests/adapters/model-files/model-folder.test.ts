import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ggufBytes, ones, safetensorsBytes } from "../../../examples/quickstart/model-bytes.ts";
import { writeHubModel } from "../../../examples/quickstart/models.ts";
import { createModelHeaders } from "../../../src/adapters/model-files/model-headers.ts";
import { sha256 } from "../../../src/domain/digest.ts";
import type { HeaderFinding } from "../../../src/ports/model-headers.ts";
import { temporaryFolder } from "./raw-files.ts";

const weights = safetensorsBytes([{ name: "a", shape: [4], data: ones(4) }]);

async function folderOf(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

async function inspect(folder: string, files?: readonly string[]): Promise<HeaderFinding> {
  return createModelHeaders().inspectFolder(folder, files ?? (await readdir(folder)), new AbortController().signal);
}

async function inspectFiles(files: Readonly<Record<string, string | Buffer>>, listed = Object.keys(files)): Promise<HeaderFinding> {
  return inspect(await folderOf(files), listed);
}

function index(...shards: readonly string[]): string {
  return JSON.stringify({
    metadata: { total_size: 1, note: ["{", '"'] },
    weight_map: Object.fromEntries(shards.map((shard, at) => [`w${at}`, shard])),
  });
}

describe("model folders", () => {
  it("understands the tiny Llama folder", async () => {
    const folder = await temporaryFolder();
    await writeHubModel(folder);
    expect(await inspect(folder)).toMatchObject({
      state: "understood",
      facts: {
        format: "safetensors",
        architecture: "LlamaForCausalLM",
        family: "llama",
        parameterCount: 1_049_728,
        quantization: "F32",
        contextLength: 2048,
        embeddingLength: 128,
        license: "apache-2.0",
        capabilities: { text: { value: true, from: "header" }, embedding: { value: false } },
      },
    });
  });

  it("reads the language part of a model that sees, and its quantization method", async () => {
    const config = {
      architectures: ["Qwen3VLForConditionalGeneration"],
      model_type: "qwen3_vl",
      vision_config: { depth: 27 },
      text_config: { max_position_embeddings: 262_144, hidden_size: 4096 },
      quantization_config: { quant_method: "awq", bits: 4 },
    };
    const finding = await inspectFiles({ "config.json": JSON.stringify(config), "model.safetensors": weights });
    expect(finding).toMatchObject({
      state: "understood",
      facts: {
        contextLength: 262_144,
        embeddingLength: 4096,
        quantization: "awq",
        capabilities: { vision: { value: true, from: "header" }, text: { value: true } },
      },
    });
  });

  it("takes the chat template that transformers would take", async () => {
    const hash = async (files: Readonly<Record<string, string>>): Promise<unknown> => {
      const finding = await inspectFiles({ "config.json": "{}", ...files });
      return finding.state === "understood" ? finding.facts.chatTemplateSha256 : finding;
    };
    const tokenizer = { "tokenizer_config.json": JSON.stringify({ chat_template: "from tokenizer" }) };
    expect(await hash(tokenizer)).toBe(sha256("from tokenizer"));
    expect(await hash({ ...tokenizer, "chat_template.json": JSON.stringify({ chat_template: "from processor" }) })).toBe(sha256("from processor"));
    expect(await hash({ ...tokenizer, "chat_template.jinja": "from file" })).toBe(sha256("from file"));
    const several = [
      { name: "tool_use", template: "tools" },
      { name: "default", template: "plain" },
    ];
    expect(await hash({ "tokenizer_config.json": JSON.stringify({ chat_template: several }) })).toBe(sha256("plain"));
  });

  it("adds up shards and calls sentence encoders embedding models", async () => {
    const finding = await inspectFiles({
      "config.json": JSON.stringify({ architectures: ["BertModel"], model_type: "bert" }),
      "modules.json": "[]",
      "model.safetensors.index.json": index("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
      "model-00001-of-00002.safetensors": weights,
      "model-00002-of-00002.safetensors": weights,
    });
    expect(finding).toMatchObject({
      state: "understood",
      facts: { parameterCount: 8, parameterSize: "8", capabilities: { embedding: { value: true }, text: { value: false } } },
    });
  });

  it("joins a GGUF model with its projector and its split parts", async () => {
    const part = (name: string): Buffer => ggufBytes({ "general.architecture": "llama" }, [{ name, shape: [8], data: ones(8) }]);
    const projector = ggufBytes({ "general.architecture": "clip", "clip.has_vision_encoder": true }, [{ name: "v", shape: [8], data: ones(8) }]);
    const files = { "a-mmproj.gguf": projector, "m-00001-of-00002.gguf": part("a"), "m-00002-of-00002.gguf": part("b") };
    expect(await inspectFiles(files)).toMatchObject({
      state: "understood",
      facts: { format: "gguf", architecture: "llama", parameterCount: 16, capabilities: { vision: { value: true }, text: { value: true } } },
    });
    const { "m-00002-of-00002.gguf": lost, ...incomplete } = files;
    expect(lost.length).toBeGreaterThan(0);
    expect(await inspectFiles(incomplete)).toMatchObject({
      state: "malformed",
      failure: { message: expect.stringContaining("m-00002-of-00002.gguf") },
    });
  });

  it("calls a folder without weights and without config `other`", async () => {
    expect(await inspectFiles({ "notes.txt": "x" })).toEqual({ state: "other" });
  });

  it("wants all shards of an index or, where a selection left them out, none", async () => {
    const shards = index("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
    expect(
      await inspectFiles({ "config.json": "{}", "model.safetensors.index.json": shards, "model-00001-of-00002.safetensors": weights }),
    ).toMatchObject({
      state: "malformed",
      failure: { code: "integrity", message: expect.stringContaining("model-00002-of-00002.safetensors") },
    });
    expect((await inspectFiles({ "config.json": "{}", "model.safetensors.index.json": shards })).state).toBe("understood");
  });

  it("refuses a folder with one malformed weights file or a broken config", async () => {
    expect(await inspectFiles({ "config.json": "{}", "model.safetensors": Buffer.from("not tensors at all") })).toMatchObject({
      state: "malformed",
      failure: { message: expect.stringContaining("model.safetensors") },
    });
    expect(await inspectFiles({ "config.json": "{" })).toMatchObject({
      state: "malformed",
      failure: { message: expect.stringContaining("config.json") },
    });
    expect(await inspectFiles({ "config.json": " ".repeat(3 * 1024 * 1024) })).toMatchObject({ state: "malformed" });
  });
});

const escapes = [
  "../../x",
  "/etc/x",
  "C:\\x",
  "D:x",
  "\\\\h\\s",
  "a/../../b",
  "..%2f",
  "a\\..\\..\\b",
  "a\u0000b",
  "n".repeat(300),
  "CON",
  "dot.",
  "space ",
];

describe("SEC-02 names that lead out of the folder", () => {
  it.each(escapes)("refuses the shard name %j", async (shard) => {
    const finding = await inspectFiles({
      "config.json": "{}",
      "model.safetensors": weights,
      "model.safetensors.index.json": index("model.safetensors", shard),
    });
    expect(finding).toMatchObject({ state: "malformed", failure: { code: "unsafe-path" } });
  });

  it.each(escapes)("refuses the listed file %j", async (path) => {
    expect(await inspectFiles({ "config.json": "{}" }, ["config.json", path])).toMatchObject({
      state: "malformed",
      failure: { code: "unsafe-path" },
    });
  });

  it("refuses an index whose shard names are not texts", async () => {
    expect(await inspectFiles({ "config.json": "{}", "model.safetensors.index.json": '{"weight_map":{"a":[1]}}' })).toMatchObject({
      state: "malformed",
    });
  });
});

describe("links", () => {
  it("follows the links of the Hub cache and no others", async () => {
    const cache = await temporaryFolder();
    const repository = join(cache, "models--acme--tiny");
    const snapshot = join(repository, "snapshots", "0".repeat(40));
    for (const folder of [join(repository, "blobs"), snapshot, join(cache, "blobs", "ab")]) await mkdir(folder, { recursive: true });
    await writeFile(join(repository, "blobs", "c0"), '{"model_type":"llama"}');
    await writeFile(join(cache, "blobs", "ab", "abcd"), weights);
    await symlink(join("..", "..", "blobs", "ab", "abcd"), join(repository, "blobs", "w0"));
    await symlink("../../blobs/c0", join(snapshot, "config.json"));
    await symlink("../../blobs/w0", join(snapshot, "model.safetensors"));
    expect(await inspect(snapshot)).toMatchObject({ state: "understood", facts: { family: "llama", parameterCount: 4 } });

    await writeFile(join(cache, "secret.json"), "{}");
    await symlink(join(cache, "secret.json"), join(snapshot, "tokenizer_config.json"));
    expect(await inspect(snapshot)).toMatchObject({
      state: "malformed",
      failure: { code: "unsafe-path", message: expect.stringContaining("tokenizer_config.json") },
    });
  });

  it("refuses a link out of a plain folder", async () => {
    const outside = await folderOf({ "model.safetensors": weights });
    const folder = await folderOf({ "config.json": "{}" });
    await symlink(join(outside, "model.safetensors"), join(folder, "model.safetensors"));
    expect(await inspect(folder)).toMatchObject({ state: "malformed", failure: { code: "unsafe-path" } });
  });
});
