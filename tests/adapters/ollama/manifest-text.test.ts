import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blobsOf, hasWeights, readManifest } from "../../../src/adapters/ollama/manifest-text.ts";
import { hex, makeSample } from "../../fakes/ollama-samples.ts";

const layer = { mediaType: "application/vnd.ollama.image.model", digest: `sha256:${"a".repeat(64)}`, size: 1 };

/** A manifest whose JSON is exactly so many bytes long. */
function manifestOf(bytes: number): string {
  const bare = JSON.stringify({ schemaVersion: 2, layers: [], pad: "" });
  return bare.replace('"pad":""', `"pad":"${"x".repeat(bytes - bare.length)}"`);
}

describe("manifest text", () => {
  it.each([512, 1536, 3584, 7680])("JSON of %i bytes ends a read of Ollama's decoder: a newline behind it is not hashed", (size) => {
    const json = manifestOf(size);
    expect(readManifest(Buffer.from(`${json}\n`)).digest).toBe(hex(json));
    expect(readManifest(Buffer.from(`${json}\n`)).text).toBe(json);
  });

  it.each([511, 513, 1535, 1537, 700])("JSON of %i bytes does not: the whole file is hashed", (size) => {
    const file = `${manifestOf(size)}\n`;
    expect(readManifest(Buffer.from(file)).digest).toBe(hex(file));
  });

  it("what its text says is what its digest covers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 9000 }), fc.constantFrom("", "\n", " \n\n", "garbage } behind"), (size, trailer) => {
        const { digest, text, content } = readManifest(Buffer.from(manifestOf(size) + trailer));
        expect(hex(text ?? "")).toBe(digest);
        expect(content.kind).toBe("image");
      }),
    );
  });

  it("D2 a pulled manifest has the digest of its bytes", () => {
    const sample = makeSample({ name: "a:b", seed: 1 });
    const { digest, content } = readManifest(Buffer.from(sample.manifest));
    expect(digest).toBe(hex(sample.manifest));
    expect(hasWeights(content)).toBe(true);
  });

  it("null layers, no config, and unknown fields and media types are understood", () => {
    const stub = readManifest(
      Buffer.from('{"schemaVersion":2,"config":{"digest":"sha256:' + "b".repeat(64) + '","size":3,"mediaType":"x/y"},"layers":null,"new":{"a":1}}'),
    ).content;
    expect(stub).toMatchObject({ kind: "image", layers: [], config: { sha256: "b".repeat(64), size: 3 } });
    expect(readManifest(Buffer.from('{"schemaVersion":2}')).content).toEqual({ kind: "image", layers: [] });
    const odd = readManifest(Buffer.from(JSON.stringify({ layers: [{ ...layer, mediaType: "application/x.new" }] }))).content;
    expect(odd).toMatchObject({ kind: "image", layers: [{ mediaType: "application/x.new" }] });
  });

  it("a digest that occurs twice is one blob", () => {
    const { content } = readManifest(Buffer.from(JSON.stringify({ config: layer, layers: [layer, layer] })));
    expect(content.kind === "image" && blobsOf(content)).toHaveLength(1);
  });

  it("a list of manifests is told apart", () => {
    const list = { mediaType: "application/vnd.ollama.manifest.list.v2+json", manifests: [{ digest: layer.digest }] };
    expect(readManifest(Buffer.from(JSON.stringify(list))).content).toEqual({ kind: "list" });
  });

  it.each(["", "{", "null", "[]", '"x"', "<html>", '{"layers":[1]}'])("%j is invalid", (text) => {
    expect(readManifest(Buffer.from(text)).content.kind).toBe("invalid");
  });

  it.each([
    "../../etc/passwd",
    `sha256:../${"a".repeat(61)}`,
    `sha256:${"a".repeat(63)}`,
    `sha256:${"g".repeat(64)}`,
    `sha512:${"a".repeat(64)}`,
    `sha256:${"a".repeat(64)}/..`,
    "",
    `\nsha256:${"a".repeat(64)}`,
  ])("SEC-02 the digest %j never becomes a path", (digest) => {
    const { content } = readManifest(Buffer.from(JSON.stringify({ layers: [{ ...layer, digest }] })));
    expect(content.kind).toBe("invalid");
  });

  it.each([-1, 1.5, "12", 2 ** 60, null])("the size %j is not believed", (size) => {
    const { content } = readManifest(Buffer.from(JSON.stringify({ layers: [{ ...layer, size }] })));
    if (size === null) expect(content).toMatchObject({ kind: "image", layers: [{ size: 0 }] });
    else expect(content.kind).toBe("invalid");
  });

  it("never throws, whatever the bytes", () => {
    const isJudged = (bytes: Uint8Array): boolean => ["image", "list", "invalid"].includes(readManifest(bytes).content.kind);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), isJudged));
    fc.assert(fc.property(fc.json(), (json) => isJudged(Buffer.from(json))));
  });
});
