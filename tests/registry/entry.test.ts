import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyEntry, encodeEntries, registryKeys } from "../../src/registry/entry.ts";
import { encodeJsonText, isJsonObject, numberOf, parseJsonText } from "../../src/registry/json-text.ts";
import { mergeLayers, overlay } from "../../src/registry/layers.ts";
import { read } from "./fixtures.ts";

describe("the text of registry files", () => {
  it("writes the 32 keys in the order that ImageWorks uses", () => {
    expect(registryKeys).toEqual(
      `name display_name backend backend_config capabilities generation_defaults artifacts chat_template version_lock performance probes profiles_placeholder
       metadata served_model_id model_aliases roles license source deprecated family source_provider quantization backend_alternatives role_priority
       download_format download_location download_path download_size_bytes download_files download_directory_checksum downloaded_at last_accessed`.split(
        /\s+/,
      ),
    );
  });

  it("writes keys in order however they come, unknown ones last", () => {
    expect(Object.keys(JSON.parse(encodeEntries([{ zebra: 1, roles: [], backend: "x", name: "a", alpha: 2 }]))[0])).toEqual([
      "name",
      "backend",
      "roles",
      "zebra",
      "alpha",
    ]);
  });

  it("S1.75 writes as Python's json does: two spaces, escaped non-ASCII, empty brackets, final newline", () => {
    expect(encodeJsonText([{ a: 'é\u007f😀\u2028"\\\n', b: [], c: {}, d: [1, "x"] }])).toBe(
      '[\n  {\n    "a": "\\u00e9\\u007f\\ud83d\\ude00\\u2028\\"\\\\\\n",\n    "b": [],\n    "c": {},\n    "d": [\n      1,\n      "x"\n    ]\n  }\n]\n',
    );
  });

  it("keeps the text of numbers that JavaScript would print otherwise", () => {
    const text =
      '[\n  {\n    "a": 9.0,\n    "b": 1000000.0,\n    "c": 1e-07,\n    "d": 12345678901234567890,\n    "e": 0.5,\n    "f": -0.0,\n    "g": 7\n  }\n]\n';
    const value = parseJsonText(text);
    expect(encodeJsonText(value)).toBe(text);
    const first = Array.isArray(value) ? value[0] : undefined;
    expect(numberOf(first.a)).toBe(9);
    expect(typeof first.g).toBe("number");
  });

  it("keeps the text of every number there is", () => {
    const digits = fc.stringMatching(/^(?:0|[1-9]\d{0,20})$/);
    const token = fc
      .tuple(fc.constantFrom("", "-"), digits, fc.stringMatching(/^(?:\.\d{1,20})?$/), fc.stringMatching(/^(?:[eE][+-]?\d{1,2})?$/))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(token, (number) => {
        for (const text of [`[\n  ${number}\n]\n`, `{\n  "a": ${number}\n}\n`, `${number}\n`]) expect(encodeJsonText(parseJsonText(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it("S3.38 S3.40 S1.16 gives back byte for byte what it read: unknown keys, unknown backends, free metadata and reserved fields included", () => {
    const entry = {
      ...emptyEntry("gpt-oss-abliterated_20b_(F16)", "triton"),
      backend_config: { port: 9000, model_path: "x", extra_args: ["--a"], host: "h", base_url: "http://h/v1", launch: { odd: true } },
      metadata: { architecture: { params_billion: JSON.rawJSON("9.0"), note: "ü" }, registry_layer: "curated", list: [1, null, { a: [] }] },
      profiles_placeholder: { later: [JSON.rawJSON("1.0")] },
      performance: {
        rolling_samples: 3,
        ttft_ms_avg: JSON.rawJSON("120.0"),
        throughput_toks_per_s_avg: 33.25,
        last_sample: { ttft_ms: JSON.rawJSON("120.0"), tokens_generated: 64, duration_ms: 2000.5 },
      },
      role_priority: { caption: 90 },
      vram_estimate_mb: 12000,
    };
    const text = encodeEntries([entry]);
    const again = read(text);
    expect(again.findings).toEqual([]);
    expect(encodeEntries(again.entries)).toBe(text);
  });

  it("decoding and encoding is the identity on anything that this program could have written", () => {
    const json = fc.jsonValue({ depthSize: "small" }).filter((value) => JSON.stringify(value) !== undefined);
    const key = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !/^(?:\d+|__proto__)$/.test(text));
    const name = fc.stringMatching(/^[a-z][a-z0-9._()-]{0,20}$/).filter((text) => text !== "none" && text !== "null");
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 5 }), fc.dictionary(key, json, { maxKeys: 4 }), fc.array(name), (names, metadata, roles) => {
        const text = encodeJsonText(JSON.parse(JSON.stringify(names.map((each) => ({ ...emptyEntry(each, "ollama"), metadata, roles })))));
        expect(encodeEntries(read(text).entries)).toBe(text);
      }),
    );
  });
});

describe("layers", () => {
  it("S0.2 S1.1 S1.68 merges by name: curated wins deep, lists replace, null says nothing", () => {
    const discovered = [
      { name: "a", backend_config: { port: 1, extra_args: ["--x"], model_path: "m" }, roles: ["r"], license: "mit", deprecated: true },
      { name: "b", backend: "ollama" },
    ];
    const curated = [
      { name: "c", backend: "vllm" },
      { name: "a", backend_config: { extra_args: [], port: 0 }, roles: null, license: "", deprecated: false, extra: { k: 1 } },
    ];
    expect(mergeLayers(discovered, curated)).toEqual([
      { name: "a", backend_config: { port: 0, extra_args: [], model_path: "m" }, roles: ["r"], license: "", deprecated: false, extra: { k: 1 } },
      { name: "b", backend: "ollama" },
      { name: "c", backend: "vllm" },
    ]);
  });

  it("is not fooled by keys that mean something to JavaScript", () => {
    const upper = parseJsonText('{"__proto__": {"polluted": true}, "constructor": 1}');
    if (!isJsonObject(upper)) throw new Error("not an object");
    const merged = overlay({ name: "a" }, upper);
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(Object.hasOwn(merged, "__proto__")).toBe(true);
    expect("polluted" in {}).toBe(false);
  });
});
