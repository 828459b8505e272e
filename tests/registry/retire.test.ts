import { describe, expect, it } from "vitest";
import type { Memory, MemoryChange } from "../../src/domain/inventory.ts";
import { downloadKeys, registryChanges } from "../../src/registry/changes.ts";
import { emptyEntry, encodeEntries } from "../../src/registry/entry.ts";
import { listEntries } from "../../src/registry/query.ts";
import { deprecatePlaceholders, purgeDeprecatedEntries, resetDiscovered } from "../../src/registry/retire.ts";
import { at, backend, desiredOf, entriesIn, hubHolding, model, observedOf, ollamaHolding, project, remembering, seen } from "./fixtures.ts";

const placeholder = { ...emptyEntry("model-ollama-gguf-q6_k", "ollama"), served_model_id: "None" };
const old = { ...emptyEntry("old-ollama-gguf", "ollama"), served_model_id: "old:1", deprecated: true };
const context = { store: "ollama:local" as const, now: at };
const names = (text: string): readonly string[] => entriesIn(text).map((entry) => entry.name);

/** The memory after changes, for the kinds that are used here. */
function after(changes: readonly MemoryChange[]): Memory {
  return remembering({
    deprecations: changes.flatMap((change) => (change.kind === "deprecate" ? [change.deprecation] : [])),
    tombstones: changes.flatMap((change) => (change.kind === "bury" ? [change.tombstone] : [])),
  });
}

describe("resetting the discovered layer", () => {
  const observed = observedOf(
    seen("ollama:local", [ollamaHolding("llava:7b"), ollamaHolding("a/b:x"), ollamaHolding("c/b:x")]),
    seen("huggingface", [hubHolding("o/qwen", "a".repeat(40), { "m.safetensors": "w" })]),
  );
  const desired = desiredOf([model("mine", "llava:7b")], [backend("local")]);
  const first = project({ observed, desired });

  it("S0.21 S0.22 clears exactly the discovered entries of that backend, and they stay away on the next load", () => {
    const reset = resetDiscovered(entriesIn(first.discovered), "ollama");
    expect(reset.retired.toSorted()).toEqual(["b-x-ollama-gguf", "c-b-x-ollama-gguf"]);
    expect(reset.changes).toMatchObject([
      { kind: "undiscover", ref: "registry.ollama.ai/a/b:x" },
      { kind: "undiscover", ref: "registry.ollama.ai/c/b:x" },
    ]);
    const without = { desired, observed: observedOf(...observed.stores.filter((store) => store.store !== "ollama:local")) };
    const written = project({ ...without, previous: { discovered: reset.kept } });
    expect(names(written.merged)).toEqual(["mine", "qwen-safetensors"]);
    expect(project({ ...without, previous: { discovered: entriesIn(written.discovered) } }).merged).toBe(written.merged);
  });

  it("S0.23 S0.38 importing again gives the same entries under the same names", () => {
    const reset = resetDiscovered(entriesIn(first.discovered), "ollama");
    expect(project({ observed, desired, previous: { discovered: reset.kept } }).merged).toBe(first.merged);
  });

  it("S0.21 clears everything but declared models when asked for all", () => {
    expect(resetDiscovered(entriesIn(first.discovered), "all").kept.map((entry) => entry.name)).toEqual(["mine"]);
  });
});

describe("retiring placeholders", () => {
  it("S0.31 S0.32 S0.33 S0.34 deprecates them so that it lasts, hides them, and shows them on demand", () => {
    const changes = deprecatePlaceholders([placeholder, old], context);
    const written = project({ previous: { discovered: [placeholder, old] }, memory: after(changes) });
    const again = project({ previous: { discovered: entriesIn(written.discovered) }, memory: after(changes) });
    expect(entriesIn(again.merged).map((entry) => [entry.name, entry.deprecated])).toEqual([
      ["model-ollama-gguf-q6_k", true],
      ["old-ollama-gguf", true],
    ]);
    expect(listEntries(entriesIn(again.merged))).toEqual([]);
    expect(listEntries(entriesIn(again.merged), { showDeprecated: true })).toHaveLength(2);
  });

  it("S0.36 S0.41 purges deprecated placeholders only, when asked for them only", () => {
    const entries = [{ ...placeholder, deprecated: true }, old, { ...placeholder, name: "model-ollama-gguf" }];
    const purge = purgeDeprecatedEntries(entries, { ...context, placeholdersOnly: true, curated: [] });
    expect(purge.retired).toEqual(["model-ollama-gguf-q6_k"]);
    const memory = after(purge.changes);
    const written = project({ previous: { discovered: entries }, memory });
    expect(names(written.merged)).toEqual(["model-ollama-gguf", "old-ollama-gguf"]);
  });

  it("S0.35 purges every deprecated entry that stands for nothing, and only reports those of a curated file", () => {
    const purge = purgeDeprecatedEntries([old, placeholder, { ...old, name: "curated-too" }], {
      ...context,
      placeholdersOnly: false,
      curated: [{ ...old, name: "curated-too" }],
    });
    expect(purge.retired).toEqual(["old-ollama-gguf"]);
    expect(purge.findings).toMatchObject([{ code: "registry.curated-deprecated", remedy: expect.stringContaining('"curated-too"') }]);
    expect(purge.kept.map((entry) => entry.name)).toEqual(["model-ollama-gguf-q6_k", "curated-too"]);
  });

  it("leaves models whose bytes are here to a plan", () => {
    const held = project({ observed: observedOf(seen("ollama:local", [ollamaHolding("llava:7b")])) });
    const deprecated = entriesIn(held.discovered).map((entry) => ({ ...entry, deprecated: true }));
    expect(purgeDeprecatedEntries(deprecated, { ...context, placeholdersOnly: false, curated: [] }).retired).toEqual([]);
  });
});

describe("changes between two states of a registry", () => {
  const before = [{ ...emptyEntry("a", "ollama"), served_model_id: "a:1", roles: ["chat"] }, emptyEntry("gone", "vllm")];

  it("S0.42 S0.43 S3.49 S0.27 S0.39 say what would be filled in and changed, key by key, and nothing else", () => {
    const rebuilt = entriesIn(
      project({
        observed: observedOf(seen("ollama:local", [ollamaHolding("a:1")])),
        memory: remembering({ discovered: [{ store: "ollama:local", ref: "registry.ollama.ai/library/a:1", name: "a", firstSeen: at }] }),
        previous: { discovered: before },
      }).discovered,
    );
    const changes = registryChanges(before, rebuilt, downloadKeys);
    expect(changes).toMatchObject({ added: [], removed: [], changed: [{ name: "a" }] });
    expect(changes.changed[0]?.keys.map(({ key, after: value }) => [key, value])).toEqual([
      ["download_format", "gguf"],
      ["download_path", "ollama:/a:1"],
      ["download_size_bytes", expect.any(Number)],
      ["download_directory_checksum", ""],
    ]);
    expect(rebuilt[0]?.roles).toEqual(["chat"]);
    expect(registryChanges(rebuilt, entriesIn(encodeEntries(rebuilt)))).toEqual({ added: [], removed: [], changed: [] });
    expect(registryChanges(before, [emptyEntry("new", "vllm")])).toMatchObject({ added: ["new"], removed: ["a", "gone"] });
  });
});
