import fc from "fast-check";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ggufBytes, ones, safetensorsBytes } from "../../../examples/quickstart/model-bytes.ts";
import { createModelHeaders } from "../../../src/adapters/model-files/model-headers.ts";
import { temporaryFolder } from "./raw-files.ts";

const tensors = ["a", "b", "c"].map((name) => ({ name, shape: [2, 4], data: ones(8) }));
const samples = {
  gguf: ggufBytes(
    {
      "general.architecture": "llama",
      "llama.context_length": 512,
      "tokenizer.ggml.tokens": ["x", "yy", "zzz"],
      "tokenizer.chat_template": "{{ a }}",
    },
    tensors,
  ),
  safetensors: safetensorsBytes(tensors),
} as const;

const interesting = fc.constantFrom(0, 1, 7, 0x22, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xff);
const edit = fc.record({ at: fc.nat(), value: fc.oneof(interesting, fc.nat(255)) });

describe("SEC-29 mutated headers", () => {
  it.each(["gguf", "safetensors"] as const)("any change to a %s file gives an answer, never a crash or a hang", async (format) => {
    const file = join(await temporaryFolder(), `m.${format}`);
    const headers = createModelHeaders();
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 6 }), fc.option(fc.nat()), async (edits, cut) => {
        const bytes = Buffer.from(samples[format]);
        for (const { at, value } of edits) bytes[at % bytes.length] = value;
        await writeFile(file, cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
        const finding = await headers.inspectFile(file, new AbortController().signal);
        expect(["understood", "malformed", "other"]).toContain(finding.state);
        if (finding.state === "malformed") expect(["integrity", "unsupported"]).toContain(finding.failure.code);
      }),
      { numRuns: 1500 },
    );
  });

  it.each(["gguf", "safetensors"] as const)("every truncation of a %s file is malformed", async (format) => {
    const file = join(await temporaryFolder(), `m.${format}`);
    const whole = samples[format];
    for (let length = 0; length < whole.length; length += 1) {
      await writeFile(file, whole.subarray(0, length));
      const { state } = await createModelHeaders().inspectFile(file, new AbortController().signal);
      expect({ length, state }).toEqual({ length, state: "malformed" });
    }
    await writeFile(file, whole);
    expect((await createModelHeaders().inspectFile(file, new AbortController().signal)).state).toBe("understood");
  });
});
