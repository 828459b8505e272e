import { failed } from "../../domain/failure.ts";
import { readMetadata, readName, type GgufScalar } from "./gguf-metadata.ts";
import { tensorEncodings, type TensorEncoding } from "./gguf-types.ts";
import { malformed, type HeaderCursor } from "./header-cursor.ts";
import { SpanTable } from "./span-table.ts";

/** What the head of a GGUF file says, checked against the length of the file. */
export interface GgufHeader extends TensorTotals {
  readonly metadata: ReadonlyMap<string, GgufScalar>;
}

interface TensorTotals {
  readonly parameterCount: number;
  /** Bytes per tensor encoding, by name. */
  readonly bytesByEncoding: ReadonlyMap<string, number>;
}

interface Tensor {
  readonly encoding: string;
  readonly weights: number;
  readonly offset: number;
  readonly bytes: number;
}

export const ggufMagic = "GGUF";
/** llama.cpp reads headers of any length; none in the wild is near this. */
export const ggufHeaderLimit = 64 * 1024 * 1024;

const caps = { metadata: 16_384, tensors: 65_536, nameBytes: 256, dimensions: 4, alignment: 1024 * 1024 } as const;
/** Keeps every product below exact as a number. */
const most = BigInt(Number.MAX_SAFE_INTEGER);
/** Newer than our table: its size cannot be told, its offset can. */
const unknownEncoding: TensorEncoding = { name: "unknown", weights: 1, bytes: 0 };

/** Reads and checks a GGUF header; the cursor stands at the magic bytes. */
export async function readGgufHeader(cursor: HeaderCursor): Promise<GgufHeader> {
  await cursor.need(8);
  if (cursor.take(4).toString("latin1") !== ggufMagic) throw malformed("the file does not begin with the GGUF magic bytes");
  checkVersion(cursor.uint32());
  await cursor.need(16);
  const tensorCount = readCount(cursor, "tensors", caps.tensors);
  const metadata = await readMetadata(cursor, readCount(cursor, "metadata", caps.metadata));
  const alignment = alignmentOf(metadata);
  return { metadata, ...(await readTensors(cursor, tensorCount, alignment)) };
}

function checkVersion(version: number): void {
  if (version === 2 || version === 3) return;
  const bigEndian = (version & 0xffff) === 0;
  const kind = bigEndian ? "is big-endian" : `has version ${version}`;
  throw failed("unsupported", `the GGUF file ${kind}; only little-endian versions 2 and 3 can be loaded`, {
    remedy: "convert the model again with a current llama.cpp",
  });
}

function readCount(cursor: HeaderCursor, what: keyof typeof caps, most: number): number {
  const count = cursor.uint64();
  if (count > BigInt(most)) throw malformed(`the header declares ${count} ${what} entries; at most ${most} are accepted`);
  return Number(count);
}

function alignmentOf(metadata: ReadonlyMap<string, GgufScalar>): number {
  const value = metadata.get("general.alignment") ?? 32;
  const alignment = typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
  const powerOfTwo = Number.isInteger(alignment) && alignment > 0 && alignment <= caps.alignment && (alignment & (alignment - 1)) === 0;
  if (!powerOfTwo) throw malformed(`general.alignment is ${String(value).slice(0, 40)}; it must be a power of two`);
  return alignment;
}

async function readTensors(cursor: HeaderCursor, count: number, alignment: number): Promise<TensorTotals> {
  const spans = new SpanTable();
  const bytesByEncoding = new Map<string, number>();
  let parameterCount = 0;
  for (let index = 0; index < count; index++) {
    const name = await readName(cursor, caps.nameBytes);
    const { encoding, weights, offset, bytes } = await readTensor(cursor, alignment);
    spans.add(name, offset, offset + bytes);
    parameterCount += weights;
    bytesByEncoding.set(encoding, (bytesByEncoding.get(encoding) ?? 0) + bytes);
  }
  spans.checkNames();
  const available = cursor.size - Math.ceil(cursor.position / alignment) * alignment;
  const end = spans.checkSpans(false);
  if (end > available && count > 0) throw malformed(`the last tensor ends at ${end}, the file has ${available} bytes of weights`);
  return { parameterCount, bytesByEncoding };
}

async function readTensor(cursor: HeaderCursor, alignment: number): Promise<Tensor> {
  const at = cursor.position;
  const bad = (problem: string): Error => malformed(`the tensor before byte ${at} ${problem}`);
  await cursor.need(4);
  const dimensions = cursor.uint32();
  if (dimensions > caps.dimensions) throw bad(`has ${dimensions} dimensions; ggml knows at most ${caps.dimensions}`);
  await cursor.need(dimensions * 8 + 12);
  const shape = Array.from({ length: dimensions }, () => cursor.uint64());
  const weights = shape.reduce((product, size) => product * size, 1n);
  if (weights > most) throw bad("has more weights than any file can hold");
  const encoding = tensorEncodings.get(cursor.uint32()) ?? unknownEncoding;
  const offset = cursor.uint64();
  if (offset % BigInt(alignment) !== 0n) throw bad(`begins at ${offset}, not at a multiple of ${alignment}`);
  const perBlock = BigInt(encoding.weights);
  if ((shape[0] ?? 1n) % perBlock !== 0n) throw bad(`has rows that do not fill whole blocks of ${perBlock} weights`);
  const bytes = (weights / perBlock) * BigInt(encoding.bytes);
  return { encoding: encoding.name, weights: Number(weights), offset: Number(offset), bytes: Number(bytes) };
}
