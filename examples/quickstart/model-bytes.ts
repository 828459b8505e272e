/** One tensor as it is written: `shape` in safetensors order, slowest dimension first. */
export interface TinyTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Buffer;
}

type GgufValue = string | number | boolean | readonly string[];

const gguf = { version: 3, alignment: 32, types: { uint32: 4, bool: 7, string: 8, array: 9 } } as const;

/** Float32 weights that look like noise and are the same on every machine. */
export function weights(shape: readonly number[], seed: number): Buffer {
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = Buffer.alloc(count * 4);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let index = 0; index < count; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeFloatLE(((state >>> 0) / 2 ** 32 - 0.5) / 16, index * 4);
  }
  return bytes;
}

/** Float32 ones, the neutral weights of a norm. */
export function ones(size: number): Buffer {
  const bytes = Buffer.alloc(size * 4);
  for (let index = 0; index < size; index++) bytes.writeFloatLE(1, index * 4);
  return bytes;
}

/** A safetensors file: length of the header, header, tensors one after another. */
export function safetensorsBytes(tensors: readonly TinyTensor[]): Buffer {
  let offset = 0;
  const entries = tensors.map(({ name, shape, data }) => {
    const begin = offset;
    offset += data.length;
    return [name, { dtype: "F32", shape, data_offsets: [begin, offset] }] as const;
  });
  const text = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(entries) });
  const header = Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8, " "));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...tensors.map((tensor) => tensor.data)]);
}

/** A GGUF file, version 3, little-endian, F32 tensors. GGUF writes dimensions fastest first. */
export function ggufBytes(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly TinyTensor[]): Buffer {
  let offset = 0;
  const infos = tensors.map(({ name, shape, data }) => {
    const info = [ggufText(name), uint32(shape.length), ...shape.toReversed().map(uint64), uint32(0), uint64(offset)];
    offset += align(data.length);
    return Buffer.concat(info);
  });
  const entries = Object.entries(metadata).map(([key, value]) => Buffer.concat([ggufText(key), ggufValue(value)]));
  const head = Buffer.concat([Buffer.from("GGUF"), uint32(gguf.version), uint64(tensors.length), uint64(entries.length), ...entries, ...infos]);
  return Buffer.concat([padded(head), ...tensors.map((tensor) => padded(tensor.data))]);
}

function ggufValue(value: GgufValue): Buffer {
  if (typeof value === "string") return Buffer.concat([uint32(gguf.types.string), ggufText(value)]);
  if (typeof value === "number") return Buffer.concat([uint32(gguf.types.uint32), uint32(value)]);
  if (typeof value === "boolean") return Buffer.concat([uint32(gguf.types.bool), Buffer.from([value ? 1 : 0])]);
  return Buffer.concat([uint32(gguf.types.array), uint32(gguf.types.string), uint64(value.length), ...value.map(ggufText)]);
}

function ggufText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function align(size: number): number {
  return Math.ceil(size / gguf.alignment) * gguf.alignment;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(align(bytes.length) - bytes.length)]);
}
