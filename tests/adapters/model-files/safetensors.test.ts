import { describe, expect, it } from "vitest";
import { ones, safetensorsBytes } from "../../../examples/quickstart/model-bytes.ts";
import { inspectBytes, rawSafetensors, u64 } from "./raw-files.ts";

const one = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
const next = '{"dtype":"F32","shape":[2],"data_offsets":[8,16]}';

describe("safetensors headers", () => {
  it("counts the weights and names the dtype", async () => {
    const bytes = safetensorsBytes([
      { name: "a", shape: [2, 3], data: ones(6) },
      { name: 'b "quoted" \\ }', shape: [4], data: ones(4) },
    ]);
    expect(await inspectBytes("model.safetensors", bytes)).toEqual({
      state: "understood",
      facts: { format: "safetensors", parameterCount: 10, parameterSize: "10", quantization: "F32", capabilities: {} },
    });
  });

  it("accepts no tensors, empty tensors, scalars, half bytes and padding", async () => {
    const state = async (header: string, bytes: number): Promise<string> =>
      (await inspectBytes("m.safetensors", rawSafetensors(header, bytes))).state;
    expect(await state("{}", 0)).toBe("understood");
    expect(await state('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}', 0)).toBe("understood");
    expect(await state('{"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}', 2)).toBe("understood");
    expect(await state('{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}', 2)).toBe("understood");
    expect(await state(`{"__metadata__":{"format":"pt","note":"a \\"}{ b"},"a":${one}}    `, 8)).toBe("understood");
  });

  it("does not count packed integers as weights", async () => {
    const packed = rawSafetensors('{"a.qweight":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}', 8);
    expect(await inspectBytes("m.safetensors", packed)).toEqual({ state: "understood", facts: { format: "safetensors", capabilities: {} } });
  });

  it("walks over metadata of any length", async () => {
    const long = "x\\\\".repeat(200_000);
    expect((await inspectBytes("m.safetensors", rawSafetensors(`{"__metadata__":{"k":"${long}"},"a":${one}}`, 8))).state).toBe("understood");
  });
});

const hostile: Readonly<Record<string, Buffer>> = {
  "a header longer than the file": Buffer.concat([u64(1000), Buffer.from("{}")]),
  "a header of 100 MB and more": Buffer.concat([u64(100_000_001), Buffer.from("{"), Buffer.alloc(1024)]),
  "a hole between tensors": rawSafetensors(`{"a":${one},"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}`, 24),
  "overlapping tensors": rawSafetensors(`{"a":${one},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12),
  "an offset past the end": rawSafetensors(`{"a":${one},"b":${next}}`, 8),
  "bytes that no tensor covers": rawSafetensors(`{"a":${one}}`, 16),
  "a name twice": rawSafetensors(`{"a":${one},"a":${next}}`, 16),
  "a name twice, once escaped": rawSafetensors(`{"a":${one},"\\u0061":${next}}`, 16),
  "offsets twice": rawSafetensors('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}}', 8),
  "offsets that run backwards": rawSafetensors('{"a":{"dtype":"F32","shape":[0],"data_offsets":[8,0]}}', 8),
  "a size that does not fit the shape": rawSafetensors('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', 8),
  "a shape beyond 2^53": rawSafetensors('{"a":{"dtype":"F32","shape":[9007199254740991,9007199254740991],"data_offsets":[0,8]}}', 8),
  "a negative size": rawSafetensors('{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', 8),
  "an unknown dtype": rawSafetensors('{"a":{"dtype":"EXE","shape":[2],"data_offsets":[0,8]}}', 8),
  "nested objects": rawSafetensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":{}}}`, 8),
  "half a million open brackets": rawSafetensors(`{${"[".repeat(500_000)}`, 8),
  "text after the header": rawSafetensors(`{"a":${one}}{"b":1}`, 8),
  "a header that stops": rawSafetensors(`{"a":${one}`, 8),
  "a name without an end": rawSafetensors(`{"${"a".repeat(200_000)}`, 8),
};

describe("SEC-29 hostile safetensors headers", () => {
  it.each(Object.entries(hostile))("refuses %s", async (_, bytes) => {
    expect(await inspectBytes("model.safetensors", bytes)).toMatchObject({ state: "malformed", failure: { code: "integrity", retry: "terminal" } });
  });
});

const pickle = Buffer.concat([Buffer.from([0x80, 0x04, 0x95]), u64(40), Buffer.from("cposix\nsystem\n(S'id'\ntR.")]);
const valid = rawSafetensors(`{"a":${one}}`, 8);
const disguised: Readonly<Record<string, Buffer>> = {
  "a pickle": pickle,
  "a zip with data.pkl": Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(22), Buffer.from("archive/data.pkl")]),
  "a 7z archive": Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4, 0, 0, 0, 0]),
  "a pickle behind real tensors": Buffer.concat([valid, pickle]),
  "an empty file": Buffer.alloc(0),
  "a page of an error": Buffer.from("<!DOCTYPE html><html>not found</html>"),
};

describe("SEC-30 something else in disguise", () => {
  it.each(Object.entries(disguised))("refuses %s named .safetensors", async (_, bytes) => {
    expect(await inspectBytes("model.SafeTensors", bytes)).toMatchObject({ state: "malformed", failure: { code: "integrity" } });
  });

  it("refuses a pickle and real safetensors named .gguf", async () => {
    expect(await inspectBytes("model.gguf", pickle)).toMatchObject({ state: "malformed" });
    expect(await inspectBytes("model.gguf", valid)).toMatchObject({ state: "malformed" });
  });

  it("calls a pickle that does not pretend `other`", async () => {
    expect(await inspectBytes("pytorch_model.bin", pickle)).toEqual({ state: "other" });
  });
});
