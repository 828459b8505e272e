import fc from "fast-check";
import { aggregateSha256, contentDigest, sha256, type Artifact } from "../../src/domain/digest.ts";
import type { LockedSource, LockEntry, LockFile } from "../../src/domain/lock.ts";

/** A lock entry whose digests fit. */
export function entryOf(name: string, source: LockedSource, artifacts: readonly Artifact[]): LockEntry {
  return { name, source, artifacts, contentDigest: contentDigest(artifacts), aggregateSha256: aggregateSha256(artifacts) };
}

export function ollamaEntry(name: string, model: string, layers: readonly string[], manifest?: string): LockEntry {
  const artifacts = layers
    .map((layer) => ({ path: `sha256:${sha256(layer)}`, size: layer.length, sha256: sha256(layer) }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const part = (layer: string): object => ({ mediaType: "application/octet-stream", digest: `sha256:${sha256(layer)}`, size: layer.length });
  const text = manifest ?? JSON.stringify({ schemaVersion: 2, config: part(layers[0] ?? ""), layers: layers.slice(1).map(part) });
  return entryOf(name, { kind: "ollama", model, manifestDigest: sha256(text), manifest: text }, artifacts);
}

export const hubSource: LockedSource = {
  kind: "huggingface",
  repo: "Qwen/Qwen3-8B",
  revision: "main",
  commit: "9c1d33e0b7a1f2d3c4b5a697887766554433221f",
  include: ["*.safetensors"],
  exclude: [],
};

const digest = fc.string({ unit: "binary", maxLength: 8 }).map((text) => sha256(text));
const path = fc
  .array(fc.stringMatching(/^[\p{L}\p{N} "'#:@_\u0085\u2028-]{0,6}[a-z]$/u), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/"));
const artifacts = fc.uniqueArray(fc.record({ path, size: fc.maxSafeNat(), sha256: digest }), { selector: (artifact) => artifact.path, maxLength: 5 });
const patterns = fc.array(fc.string({ unit: "binary", maxLength: 10 }), { maxLength: 3 });
const hub = fc.record({
  revision: fc.constantFrom("main", "v1.0", "refs/pr/1"),
  commit: digest.map((hex) => hex.slice(0, 40)),
  include: patterns,
  exclude: patterns,
});
/** Manifest texts of every shape that has ever tripped a YAML writer. */
const manifestText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc
    .array(
      fc.constantFrom(
        "'",
        '"',
        "\\",
        "\n",
        "\r\n",
        "\t",
        " ",
        "#",
        ": ",
        "- ",
        "\u0000",
        "\u0007",
        "\u001b",
        "\u007f",
        "\u0085",
        "\u2028",
        "\ufeff",
        "é",
        "模",
        "😀",
        "---\n",
        "...\n",
        "|",
        "{{ .System }}",
      ),
    )
    .map((parts) => parts.join("")),
);
const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_().]{0,12}$/);

const entry: fc.Arbitrary<LockEntry> = fc.oneof(
  fc.record({ name, artifacts }).map((made) => entryOf(made.name, { kind: "path" }, made.artifacts)),
  fc.record({ name, artifacts, hub }).map((made) => entryOf(made.name, { kind: "huggingface", repo: "org/name", ...made.hub }, made.artifacts)),
  fc
    .record({ name, manifestText, layers: fc.uniqueArray(fc.string({ maxLength: 4 }), { maxLength: 3 }) })
    .map((made) => ollamaEntry(made.name, "registry.ollama.ai/library/x:latest", made.layers, made.manifestText)),
);

const byText =
  <T>(key: (item: T) => string) =>
  (a: T, b: T): number =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;

/** Any lock, in the order in which it is written. */
export const anyLock: fc.Arbitrary<LockFile> = fc.uniqueArray(entry, { selector: (made) => made.name, maxLength: 5 }).map((entries) => ({
  version: 1,
  entries: entries
    .map((made) => ({ ...made, artifacts: made.artifacts.toSorted(byText((artifact) => artifact.path)) }))
    .toSorted(byText((made) => made.name)),
}));
