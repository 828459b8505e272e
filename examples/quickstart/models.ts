import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseOllamaName } from "../../src/domain/ollama-name.ts";
import { ggufBytes, ones, safetensorsBytes, weights, type TinyTensor } from "./model-bytes.ts";
import { tinyVocabulary, wordLevelTokenizer } from "./tiny-vocabulary.ts";

/** What varies between two tiny models; everything else, and so every byte, is fixed. */
export interface TinyModelOptions {
  /** Another seed gives other weights. */
  readonly seed?: number;
  readonly kind?: "chat" | "embedding";
}

const shape = { vocabulary: 2048, hidden: 128, intermediate: 384, layers: 4, heads: 4, keyValueHeads: 2, context: 2048 } as const;
const chatTemplate =
  "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}</s>\n{% endfor %}" +
  "{% if add_generation_prompt %}<s>assistant: {% endif %}";
const readme =
  "---\nlicense: apache-2.0\nlibrary_name: transformers\npipeline_tag: text-generation\n---\n\n" +
  "# Tiny chat\n\nMade up weights in the shape of a real model.\n";
const license = "Apache License\nVersion 2.0\n\nTiny models of the Holdfast quick start: made up weights, free to use, good for nothing.\n";

/** Writes a safetensors model folder (LlamaForCausalLM, about one million parameters, 4 MiB) and returns its files, sorted. */
export async function writeHubModel(folder: string, options: TinyModelOptions = {}): Promise<readonly string[]> {
  const tokenizer = {
    tokenizer_class: "PreTrainedTokenizerFast",
    unk_token: "<unk>",
    bos_token: "<s>",
    eos_token: "</s>",
    model_max_length: shape.context,
  };
  const files: Readonly<Record<string, string | Buffer>> = {
    "README.md": readme,
    "config.json": json(llamaConfig()),
    "generation_config.json": json({ bos_token_id: 1, eos_token_id: 2, do_sample: false }),
    "model.safetensors": safetensorsBytes(llamaTensors(options.seed ?? 1)),
    "tokenizer.json": json(wordLevelTokenizer(tinyVocabulary(shape.vocabulary))),
    "tokenizer_config.json": json({ ...tokenizer, chat_template: chatTemplate }),
  };
  for (const [path, content] of Object.entries(files)) await put(join(folder, path), content);
  return Object.keys(files).toSorted();
}

/** The bytes of a GGUF file with two tensors, about 1 MiB. */
export function tinyGguf(options: TinyModelOptions = {}): Buffer {
  const embedding = options.kind === "embedding";
  const architecture = embedding ? "nomic-bert" : "llama";
  const metadata = {
    "general.architecture": architecture,
    "general.name": embedding ? "Tiny Embed" : "Tiny Chat",
    "general.license": "apache-2.0",
    "general.file_type": 0,
    [`${architecture}.block_count`]: 1,
    [`${architecture}.context_length`]: shape.context,
    [`${architecture}.embedding_length`]: shape.hidden,
    [`${architecture}.feed_forward_length`]: shape.intermediate,
    [`${architecture}.attention.head_count`]: shape.heads,
    ...(embedding ? { [`${architecture}.pooling_type`]: 1 } : { "tokenizer.chat_template": chatTemplate }),
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": tinyVocabulary(shape.vocabulary),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
  };
  return ggufBytes(metadata, [
    tensor("token_embd.weight", [shape.vocabulary, shape.hidden], options.seed ?? 1),
    { name: "output_norm.weight", shape: [shape.hidden], data: ones(shape.hidden) },
  ]);
}

/** Writes a GGUF file. */
export async function writeGgufModel(file: string, options: TinyModelOptions = {}): Promise<void> {
  await put(file, tinyGguf(options));
}

/**
 * Adds a model to an Ollama models folder (`manifests/` and `blobs/`), for example `tiny-chat:1b`, and returns the SHA-256 of its manifest. The
 * weights are those of `tinyGguf`.
 */
export async function writeOllamaModel(store: string, name: string, options: TinyModelOptions = {}): Promise<string> {
  const parsed = parseOllamaName(name);
  if ("problem" in parsed) throw new Error(`${name}: ${parsed.problem}`);
  const { host, namespace, model, tag } = parsed.name;
  const embedding = options.kind === "embedding";
  const layers = [
    await layer(store, "model", tinyGguf(options)),
    ...(embedding ? [] : [await layer(store, "template", "{{ .System }}{{ .Prompt }}")]),
  ];
  layers.push(await layer(store, "license", license), await layer(store, "params", json({ stop: ["</s>"], temperature: 0.2 })));
  const family = embedding ? "nomic-bert" : "llama";
  const config = {
    model_format: "gguf",
    model_family: family,
    model_families: [family],
    model_type: "262.27K",
    file_type: "F32",
    architecture: "amd64",
    os: "linux",
  };
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: await blob(store, "application/vnd.docker.container.image.v1+json", JSON.stringify(config)),
    layers,
  });
  await put(join(store, "manifests", host, namespace, model, tag), manifest);
  return digest(manifest);
}

function llamaConfig(): unknown {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: shape.vocabulary,
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    max_position_embeddings: shape.context,
    hidden_act: "silu",
    rms_norm_eps: 0.00001,
    rope_theta: 10_000,
    bos_token_id: 1,
    eos_token_id: 2,
    tie_word_embeddings: true,
    torch_dtype: "float32",
  };
}

function llamaTensors(seed: number): readonly TinyTensor[] {
  const { hidden, intermediate, layers, heads, keyValueHeads } = shape;
  const keyValue = (hidden / heads) * keyValueHeads;
  const norm = (name: string): TinyTensor => ({ name, shape: [hidden], data: ones(hidden) });
  const blocks = Array.from({ length: layers }, (_, index) => {
    const at = (name: string, rows: number, columns: number): TinyTensor => tensor(`model.layers.${index}.${name}.weight`, [rows, columns], seed);
    return [
      norm(`model.layers.${index}.input_layernorm.weight`),
      at("mlp.down_proj", hidden, intermediate),
      at("mlp.gate_proj", intermediate, hidden),
      at("mlp.up_proj", intermediate, hidden),
      norm(`model.layers.${index}.post_attention_layernorm.weight`),
      at("self_attn.k_proj", keyValue, hidden),
      at("self_attn.o_proj", hidden, hidden),
      at("self_attn.q_proj", hidden, hidden),
      at("self_attn.v_proj", keyValue, hidden),
    ];
  });
  return [tensor("model.embed_tokens.weight", [shape.vocabulary, hidden], seed), ...blocks.flat(), norm("model.norm.weight")];
}

function tensor(name: string, dimensions: readonly number[], seed: number): TinyTensor {
  const salt = createHash("sha256").update(`${seed} ${name}`).digest().readUInt32LE(0);
  return { name, shape: dimensions, data: weights(dimensions, salt) };
}

function layer(store: string, kind: string, content: string | Buffer): Promise<Record<string, string | number>> {
  return blob(store, `application/vnd.ollama.image.${kind}`, content);
}

async function blob(store: string, mediaType: string, content: string | Buffer): Promise<Record<string, string | number>> {
  const hex = digest(content);
  await put(join(store, "blobs", `sha256-${hex}`), content);
  return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
}

function digest(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

async function put(file: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
