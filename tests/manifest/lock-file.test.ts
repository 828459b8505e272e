import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { LockFile } from "../../src/domain/lock.ts";
import { decodeLock, encodeLock, lockMismatches } from "../../src/manifest/lock-file.ts";
import { readLockLines } from "../../src/manifest/lock-lines.ts";
import { anyLock, entryOf, hubSource, ollamaEntry } from "./lock-samples.ts";
import { decodeFiles, decodeTexts, documents, model, textFile, told } from "./samples.ts";

const lock: LockFile = {
  version: 1,
  entries: [
    entryOf("embed", { kind: "path" }, []),
    ollamaEntry("qwen3-8b", "registry.ollama.ai/library/qwen3:8b", ["config", "weights"]),
    entryOf("vision", hubSource, [{ path: "config.json", size: 663, sha256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c" }]),
  ],
};

const decode = (text: string): ReturnType<typeof decodeLock> => decodeLock(textFile("holdfast.lock.yaml", text));
const toldOf = (text: string): string => told(decode(text).diagnostics);

describe("encodeLock", () => {
  it("writes a file that a person can review", () => {
    expect(encodeLock(lock)).toMatchInlineSnapshot(`
      "# Holdfast lock file: the exact bytes of every locked model. Written by \`holdfast lock\`; review it, do not edit it.
      # yaml-language-server: $schema=https://holdfast.dev/schemas/v1/lock.schema.json
      version: 1
      models:
        - name: "embed"
          source:
            path: {}
          contentDigest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
          aggregateSha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
          artifacts: []
        - name: "qwen3-8b"
          source:
            ollama:
              model: "registry.ollama.ai/library/qwen3:8b"
              manifestDigest: "31df6bf640c5d4087f223d6679292546b83e0bc4e6f121091d5609195d6f5fad"
              manifest: '{"schemaVersion":2,"config":{"mediaType":"application/octet-stream","digest":"sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910","size":6},"layers":[{"mediaType":"application/octet-stream","digest":"sha256:9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c","size":7}]}'
          contentDigest: "46fd5691d4088b014007e73e8b8a65a9a1420699632fa56fa73e22740b1531b6"
          aggregateSha256: "050b83a36e9c59e1c4c46b2bbbc9bbf57aafbda34de2d0b3164410752d635f9f"
          artifacts:
            - {"path": "sha256:9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c", "size": 7, "sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}
            - {"path": "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910", "size": 6, "sha256": "b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910"}
        - name: "vision"
          source:
            huggingface:
              repo: "Qwen/Qwen3-8B"
              revision: "main"
              commit: "9c1d33e0b7a1f2d3c4b5a697887766554433221f"
              include: ["*.safetensors"]
              exclude: []
          contentDigest: "5f8ad98b29eb9648fbc367061c23fa71d34704221ed543714460097bc2008aa6"
          aggregateSha256: "566910f910e84bc1028de534e07f38886880c600e3bf4fe6c7e5ca5df5666dcc"
          artifacts:
            - {"path": "config.json", "size": 663, "sha256": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"}
      "
    `);
    expect(encodeLock({ version: 1, entries: [] })).toMatchInlineSnapshot(`
      "# Holdfast lock file: the exact bytes of every locked model. Written by \`holdfast lock\`; review it, do not edit it.
      # yaml-language-server: $schema=https://holdfast.dev/schemas/v1/lock.schema.json
      version: 1
      models: []
      "
    `);
  });

  it("escapes what an editor could change without being seen", () => {
    const text = encodeLock({ version: 1, entries: [ollamaEntry("m", "registry.ollama.ai/library/m:latest", [], "\ufeff\u2028\u0085\u007f\t 模 ")] });
    expect(text).toContain(String.raw`manifest: "\ufeff\u2028\u0085\u007f\t 模 "`);
  });

  it("law: decode of encode is identity, whatever the manifests contain", () => {
    fc.assert(
      fc.property(anyLock, (any) => {
        expect(decode(encodeLock(any))).toEqual({ lock: any, diagnostics: [] });
      }),
      { numRuns: 300 },
    );
  });

  it("law: reading the file as YAML gives the same as reading it in its own form", () => {
    fc.assert(
      fc.property(anyLock, (any) => {
        expect(decode(`${encodeLock(any)}# touched\n`)).toEqual({ lock: any, diagnostics: [] });
        expect(decode(encodeLock(any).replaceAll("\n", "\r\n"))).toEqual({ lock: any, diagnostics: [] });
      }),
      { numRuns: 300 },
    );
  });

  it("law: its own form is understood line by line", () => {
    fc.assert(
      fc.property(anyLock, (any) => {
        expect(readLockLines(encodeLock(any))).toEqual(parse(encodeLock(any)));
      }),
    );
    expect(readLockLines("version: 1\n# x\n# y\n  - name: plain\n")).toBeUndefined();
  });

  it("law: the order of the input does not matter", () => {
    const shuffled = anyLock.chain((any) =>
      fc.shuffledSubarray([...any.entries], { minLength: any.entries.length }).map((entries) => ({ any, entries })),
    );
    fc.assert(
      fc.property(shuffled, ({ any, entries }) => {
        const mixed = entries.map((entry) => ({ ...entry, artifacts: entry.artifacts.toReversed() }));
        expect(encodeLock({ version: 1, entries: mixed })).toBe(encodeLock(any));
      }),
    );
  });
});

describe("decodeLock", () => {
  it("takes a missing file, and one without models, for an empty lock", () => {
    expect(decodeLock(undefined)).toEqual({ lock: { version: 1, entries: [] }, diagnostics: [] });
    expect(decode(encodeLock({ version: 1, entries: [] }))).toEqual({ lock: { version: 1, entries: [] }, diagnostics: [] });
  });

  const nothing = ["", "\n", " \t\r\n\n", "\ufeff", "# nothing\n", "---\n", "---\n# cut off\n...\n", "null\n", "~"];
  it.each(nothing)("refuses a file that is there and holds nothing: %j", (text) => {
    expect(decode(text).lock).toEqual({ version: 1, entries: [] });
    expect(decode(text).diagnostics).toEqual([
      expect.objectContaining({
        severity: "error",
        code: "lock.empty",
        message: expect.stringContaining("pins nothing"),
        remedy: "restore it from Git, or delete the file",
        location: expect.objectContaining({ file: "holdfast.lock.yaml" }),
      }),
    ]);
  });

  it("SEC-33 one changed hex digit, size or manifest byte is found, wherever it is", () => {
    const text = encodeLock(lock);
    const places = [...text.matchAll(/(?<=Digest: "|Sha256: "|"sha256": "|"path": "sha256:|"size": |manifest: '.*)[0-9a-f]+/g)].flatMap(
      ({ index, 0: found }) => [...found].map((_char, offset) => index + offset),
    );
    expect(places.length).toBeGreaterThan(500);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.constantFrom(..."0123456789"), (place, digit) => {
        fc.pre(text[place] !== digit);
        const { lock: found, diagnostics } = decode(`${text.slice(0, place)}${digit}${text.slice(place + 1)}`);
        expect(diagnostics.some(({ severity }) => severity === "error")).toBe(true);
        expect(found.entries).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("SEC-33 says what was tampered with and how to mend it", () => {
    const text = encodeLock(lock);
    expect(toldOf(text.replace('"size": 663', '"size": 664'))).toMatchInlineSnapshot(
      `"holdfast.lock.yaml:30:20 error[lock.content-digest] the artifacts of "vision" do not have this content digest: the lock file was changed by hand or in a merge -> restore the file from Git, or run \`holdfast lock vision\`"`,
    );
    expect(toldOf(text.replace('"schemaVersion":2', '"schemaVersion":3'))).toMatchInlineSnapshot(
      `"holdfast.lock.yaml:16:19 error[lock.manifest-digest] the manifest text does not have this digest -> restore the file from Git, or run \`holdfast lock qwen3-8b\`"`,
    );
    expect(toldOf(text.replace(/ {6}- \{"path": "config.json".*\n/, ""))).toContain("schema.type");
    expect(toldOf(text.replace("registry.ollama.ai/library/qwen3:8b", "qwen3:8b"))).toContain("is not a full Ollama name");
    expect(toldOf(text.replace("Qwen/Qwen3-8B", "../Qwen3"))).toContain("lock.source");
  });

  it("SEC-33 a deleted artifact, also with fitting digests, does not fit the manifest", () => {
    const entry = ollamaEntry("m", "registry.ollama.ai/library/m:latest", ["config", "weights"]);
    const fewer = entryOf("m", entry.source, entry.artifacts.slice(1));
    expect(toldOf(encodeLock({ version: 1, entries: [fewer] }))).toMatchInlineSnapshot(
      `"holdfast.lock.yaml:14:7 error[lock.artifacts] the artifacts are not the config and the layers of the manifest -> restore the file from Git, or run \`holdfast lock m\`"`,
    );
  });

  it("SEC-33 duplicate keys, duplicate models, duplicate artifacts", () => {
    const text = encodeLock(lock);
    expect(toldOf(text.replace(/( {4}contentDigest: .*\n)/, "$1$1"))).toContain("yaml.duplicate-key");
    expect(toldOf(text.replace('"size": 663', '"size": 1, "size": 663'))).toContain("yaml.duplicate-key");
    expect(toldOf(encodeLock({ version: 1, entries: [...lock.entries, ...lock.entries.slice(0, 1)] }))).toMatchInlineSnapshot(
      `"holdfast.lock.yaml:11:11 error[lock.duplicate-name] "embed" is locked twice -> remove one of the two, or run \`holdfast lock embed\`"`,
    );
    const file = { path: "a", size: 1, sha256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c" };
    expect(toldOf(encodeLock({ version: 1, entries: [entryOf("m", { kind: "path" }, [file, file])] }))).toContain('"a" is listed twice');
  });

  it("SEC-01 SEC-02 paths that lead out, and layers that are not their digest", () => {
    for (const path of ["../x", "/etc/passwd", "C:\\x", "a/../../b", "con", "a\u0000"]) {
      const entry = entryOf("m", { kind: "path" }, [{ path, size: 1, sha256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c" }]);
      expect(toldOf(encodeLock({ version: 1, entries: [entry] })), path).toContain("lock.artifact");
    }
    const layer = entryOf("m", ollamaEntry("m", "registry.ollama.ai/library/m:latest", [], "{}").source, [
      { path: "sha256:../x", size: 1, sha256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c" },
    ]);
    expect(toldOf(encodeLock({ version: 1, entries: [layer] }))).toContain("is not sha256:b5bb9d");
  });

  it("explains a digest that YAML would read as a number, and a newer format", () => {
    const digits = "1".repeat(64);
    expect(
      toldOf(
        `version: 1\nmodels:\n  - name: m\n    source: {path: {}}\n    artifacts: []\n    aggregateSha256: "${digits}"\n    contentDigest: ${digits}\n`,
      ),
    ).toContain(`YAML reads ${digits} as the number`);
    expect(toldOf("version: 2\nmodels: []\n")).toMatchInlineSnapshot(
      `"holdfast.lock.yaml:1:10 error[schema.const] version is 2; it must be 1 -> write version: 1"`,
    );
    expect(toldOf("version: 1\nmodels: []\n---\nversion: 1\nmodels: []\n")).toContain("a lock file is one document");
    expect(toldOf("version: 1\nmodels:\n<<<<<<< HEAD\n  - name: a\n")).toMatchInlineSnapshot(
      `"holdfast.lock.yaml:3:1 error[yaml.merge-conflict] the file has an unresolved merge conflict -> resolve it in Git"`,
    );
  });

  it("a broken lock leaves no desired state", () => {
    const {
      desired,
      lock: used,
      diagnostics,
    } = decodeFiles({
      manifests: [textFile("manifests/a.yaml", model("m"))],
      lock: textFile("holdfast.lock.yaml", encodeLock(lock).replace('"size": 663', '"size": 664')),
    });
    expect(desired).toBeUndefined();
    expect(used.entries).toEqual([]);
    expect(diagnostics.map(({ code }) => code)).toEqual(["lock.content-digest"]);
  });
});

describe("lockMismatches for --locked", () => {
  const mismatches = (text: string, locked = lock): string => {
    const { desired, diagnostics } = decodeTexts(text);
    if (desired === undefined) throw new Error(told(diagnostics));
    return told(lockMismatches(desired, locked));
  };
  const vision = (fields: string): string => model("vision", `{source: {huggingface: {${fields}}}}`);
  const embed = model("embed", "{source: {path: {dir: weights}}}");
  const qwen = model("qwen3-8b", "{source: {ollama: {model: QWEN3:8b}}}");

  it("S1.62 is empty when everything fits: case of Ollama names, order of patterns and a pinned commit do not matter", () => {
    expect(mismatches(documents(embed, qwen, vision('repo: Qwen/Qwen3-8B, include: ["*.safetensors"]')))).toBe("");
    expect(
      mismatches(
        documents(embed, qwen, vision('repo: Qwen/Qwen3-8B, include: ["*.safetensors"], revision: 9c1d33e0b7a1f2d3c4b5a697887766554433221f')),
      ),
    ).toBe("");
  });

  it("lists every mismatch with the command that mends it", () => {
    const text = documents(
      embed.replace("path: {dir: weights}", "ollama: {model: embed}"),
      qwen.replace("QWEN3:8b", "qwen3:14b"),
      vision("repo: Qwen/Qwen3-8B, revision: dev"),
      model("new", "{source: {ollama: {model: new}}, lock: {required: true}}"),
      model("free", "{source: {ollama: {model: free}}}"),
    );
    expect(mismatches(text)).toMatchInlineSnapshot(`
      "manifests/a.yaml:4:9 error[lock.mismatch] model "embed": the lock is for a path source, the manifest declares ollama -> run \`holdfast lock embed --update\`
      manifests/a.yaml:10:9 error[lock.mismatch] model "qwen3-8b": the lock is for registry.ollama.ai/library/qwen3:8b, the manifest declares registry.ollama.ai/library/qwen3:14b -> run \`holdfast lock qwen3-8b --update\`
      manifests/a.yaml:16:9 error[lock.mismatch] model "vision": the lock is for revision main, the manifest declares dev -> run \`holdfast lock vision --update\`
      manifests/a.yaml:22:9 error[lock.missing] model "new": it must be locked and is missing from the lock file -> run \`holdfast lock new\`"
    `);
    expect(mismatches(vision("repo: Qwen/Qwen3-8B"))).toMatchInlineSnapshot(`
      "manifests/a.yaml:4:9 error[lock.mismatch] model "vision": the lock was made with other include or exclude patterns -> run \`holdfast lock vision --update\`
      error[lock.orphan] "embed" is in the lock file, but no Model is called that -> run \`holdfast unlock embed\`
      error[lock.orphan] "qwen3-8b" is in the lock file, but no Model is called that -> run \`holdfast unlock qwen3-8b\`"
    `);
  });
});
