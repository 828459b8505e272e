/** The smallest GGUF that a real Ollama server takes for a language model: metadata and one tensor of numbers that depend on the seed. */
export function tinyGguf(seed: number): Buffer {
  const tokens = ["<unk>", "<s>", "</s>", ...Array.from("abcdefghijklmnopqrstuvwxyz")];
  const pairs = [
    pair("general.architecture", 8, text("llama")),
    pair("general.name", 8, text("tiny")),
    pair("general.file_type", 4, u32(0)),
    ...Object.entries(numbers).map(([key, value]) => pair(`llama.${key}`, 4, u32(value))),
    pair("llama.attention.layer_norm_rms_epsilon", 6, f32(1e-5)),
    pair("llama.vocab_size", 4, u32(tokens.length)),
    pair("tokenizer.ggml.model", 8, text("llama")),
    pair("tokenizer.ggml.tokens", 9, Buffer.concat([u32(8), u64(tokens.length), ...tokens.map(text)])),
    pair("tokenizer.ggml.token_type", 9, Buffer.concat([u32(5), u64(tokens.length), ...tokens.map((_token, index) => u32(index < 3 ? 3 : 1))])),
    pair("tokenizer.ggml.bos_token_id", 4, u32(1)),
    pair("tokenizer.ggml.eos_token_id", 4, u32(2)),
  ];
  const tensor = Buffer.concat([text("token_embd.weight"), u32(2), u64(32), u64(4), u32(0), u64(0)]);
  const head = Buffer.concat([Buffer.from("GGUF"), u32(3), u64(1), u64(pairs.length), ...pairs, tensor]);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(512, `weights ${seed} `)]);
}

const numbers = {
  block_count: 1,
  context_length: 2048,
  embedding_length: 32,
  feed_forward_length: 64,
  "attention.head_count": 4,
  "attention.head_count_kv": 4,
  "rope.dimension_count": 8,
};

function pair(key: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([text(key), u32(type), value]);
}

function text(value: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
