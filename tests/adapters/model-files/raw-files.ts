import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createModelHeaders } from "../../../src/adapters/model-files/model-headers.ts";
import type { HeaderFinding } from "../../../src/ports/model-headers.ts";

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
}

/** One metadata entry with a value that is already encoded. */
export function entry(key: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([text(key), u32(type), value]);
}

/** One F32 tensor description. */
export function tensor(name: string, dimensions: readonly (number | bigint)[], offset: number | bigint, type = 0): Buffer {
  return Buffer.concat([text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset)]);
}

/** A GGUF file put together without any check, so that every lie can be written. */
export function rawGguf(parts: {
  version?: number;
  counts?: readonly [tensors: number | bigint, metadata: number | bigint];
  metadata?: readonly Buffer[];
  tensors?: readonly Buffer[];
  data?: number;
}): Buffer {
  const { version = 3, metadata = [], tensors = [], data = 64 } = parts;
  const [tensorCount, metadataCount] = parts.counts ?? [tensors.length, metadata.length];
  const head = Buffer.concat([Buffer.from("GGUF"), u32(version), u64(tensorCount), u64(metadataCount), ...metadata, ...tensors]);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(data)]);
}

/** A safetensors file with this header text. */
export function rawSafetensors(header: string, dataBytes: number): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(header)), Buffer.from(header), Buffer.alloc(dataBytes)]);
}

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-headers-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What the reader says of these bytes under this name. */
export async function inspectBytes(name: string, bytes: Buffer): Promise<HeaderFinding> {
  const file = join(await temporaryFolder(), name);
  await writeFile(file, bytes);
  return createModelHeaders().inspectFile(file, new AbortController().signal);
}
