import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { manifestLimits, readYaml } from "../../src/manifest/read-yaml.ts";
import { told } from "./samples.ts";

const read = (text: string): ReturnType<typeof readYaml> => readYaml({ path: "m.yaml", text }, manifestLimits);
const toldOf = (text: string): string => told(read(text).diagnostics);

describe("SEC-25 hostile YAML is refused with its line, and nothing of the file is used", () => {
  it("a file above 1 MiB", () => {
    expect(toldOf(`a: ${"x".repeat(2 * 1024 * 1024)}\n`)).toMatchInlineSnapshot(
      `"m.yaml:1:1 error[yaml.too-large] the file has 2097156 bytes; at most 1048576 are read -> split it into several files"`,
    );
    expect(read(`a: ${"x".repeat(1024 * 1024 - 5)}\n`).documents).toHaveLength(1);
    expect(read(`a: ${"é".repeat(600_000)}\n`).documents).toEqual([]);
  });

  it("5,000 nested brackets", () => {
    expect(toldOf("[".repeat(5000))).toMatchInlineSnapshot(
      `"m.yaml:1:66 error[yaml.too-deep] lists and mappings are nested more than 64 deep -> no manifest needs that; close the brackets or check the indentation"`,
    );
    expect(toldOf("{a: ".repeat(5000))).toContain("yaml.too-deep");
    expect(toldOf("- ".repeat(5000))).toContain("yaml.too-deep");
    expect(toldOf(Array.from({ length: 1000 }, (_unused, depth) => `${" ".repeat(depth)}a:`).join("\n"))).toContain("error[yaml.too-deep]");
  });

  it("takes 64 levels and refuses 65", () => {
    expect(read(`${"[".repeat(64)}${"]".repeat(64)}`).diagnostics).toEqual([]);
    expect(toldOf(`${"[".repeat(65)}${"]".repeat(65)}`)).toContain("yaml.too-deep");
  });

  it("more than 10,000 values, without the quadratic search for equal keys", () => {
    expect(toldOf(Array.from({ length: 40_000 }, (_unused, index) => `k${index}: v`).join("\n"))).toMatchInlineSnapshot(
      `"m.yaml:5001:1 error[yaml.too-many-nodes] the file has more than 10000 values -> split it into several files"`,
    );
    expect(read(Array.from({ length: 5000 }, (_unused, index) => `k${index}: v`).join("\n")).documents).toHaveLength(1);
    for (const part of ["- a\n", "? \n", ": \n", "[],", "'a'\n---\n"])
      expect(toldOf(`${part.endsWith(",") ? "[" : ""}${part.repeat(30_000)}`), part).toContain("yaml.too-many-nodes");
  });

  it("an alias bomb", () => {
    const levels = ["b", "c", "d", "e", "f", "g", "h"].map(
      (name, index) =>
        `${name}: &${name} [${Array<string>(9)
          .fill(`*${"abcdefg".charAt(index)}`)
          .join(", ")}]`,
    );
    expect(toldOf(`a: &a [x, x, x, x, x, x, x, x, x]\n${levels.join("\n")}\n`)).toMatchInlineSnapshot(
      `"m.yaml:1:1 error[yaml.alias] Excessive alias count indicates a resource exhaustion attack -> write the values out instead of repeating them by alias"`,
    );
    expect(toldOf(`a: &a 1\nb: [${Array<string>(101).fill("*a").join(", ")}]\n`)).toContain("yaml.too-many-aliases");
    expect(toldOf("a: *nobody\n")).toContain("yaml.alias");
  });

  it("a few aliases are fine", () => {
    expect(read("a: &x [1, 2]\nb: *x\n").documents[0]?.value).toEqual({ a: [1, 2], b: [1, 2] });
  });

  it("tags, directives and merge keys", () => {
    expect(toldOf("a: !!js/function 'x'\n")).toMatchInlineSnapshot(
      `"m.yaml:1:4 error[yaml.tag] Unresolved tag: tag:yaml.org,2002:js/function -> remove the tag; only plain YAML values are read"`,
    );
    expect(toldOf("a: !!binary aGk=\n")).toContain("yaml.tag");
    expect(toldOf("a: !!omap [b: 1]\n")).toContain("yaml.tag");
    expect(toldOf("%YAML 1.1\n---\na: no\n")).toMatchInlineSnapshot(
      `"m.yaml:1:1 error[yaml.directive] a line starting with % changes how YAML is read and is not accepted -> remove the line; files are YAML 1.2"`,
    );
    expect(toldOf("a: &a {x: 1}\nb:\n  <<: *a\n")).toMatchInlineSnapshot(
      `"m.yaml:3:3 error[yaml.merge-key] merge keys (<<) are not read -> write the keys out"`,
    );
  });

  it("never throws and never hangs, whatever the text", () => {
    const piece = fc.constantFrom(
      "a",
      ":",
      " ",
      "\n",
      "-",
      "[",
      "]",
      "{",
      "}",
      ",",
      "&a ",
      "*a",
      "!t ",
      "|",
      ">",
      "'",
      '"',
      "#",
      "%",
      "?",
      "---\n",
      "\t",
      "\ufeff",
      "\u0000",
      "__proto__: ",
      "<<: ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const { documents, diagnostics } = read(pieces.join(""));
        expect(documents.length + diagnostics.length).toBeGreaterThan(0);
        for (const { location } of diagnostics) expect(location?.line).toBeGreaterThan(0);
      }),
    );
  });
});

describe("SEC-26 no key reaches a prototype", () => {
  it("refuses keys that JavaScript gives a meaning, at any depth", () => {
    expect(toldOf("a:\n  - __proto__: {polluted: true}\n")).toMatchInlineSnapshot(
      `"m.yaml:2:5 error[yaml.reserved-key] the key "__proto__" is not accepted -> use another word"`,
    );
    expect(toldOf("constructor: 1\n")).toContain("yaml.reserved-key");
    expect(toldOf('{a: {"prototype": 1}}\n')).toContain("yaml.reserved-key");
  });

  it("leaves Object.prototype as it was for any mapping", () => {
    const key = fc.constantFrom("__proto__", "constructor", "prototype", "a", "b");
    const tree = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof({ maxDepth: 4 }, fc.constant("polluted"), fc.dictionary(key, tie("node")), fc.array(tie("node"), { maxLength: 3 })),
    })).node;
    const before = Object.getOwnPropertyNames(Object.prototype);
    fc.assert(
      fc.property(tree, (value) => {
        for (const { value: decoded } of read(JSON.stringify(value)).documents) Object.assign({}, decoded);
        expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
        expect("polluted" in {}).toBe(false);
      }),
    );
  });
});

describe("what a person gets wrong", () => {
  it("names both lines of a duplicate key", () => {
    expect(toldOf("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")).toMatchInlineSnapshot(
      `"m.yaml:5:3 error[yaml.duplicate-key] the key "c" is written twice: in line 3 and in line 5 -> remove one of the two"`,
    );
  });

  it("says every syntax error with a way out", () => {
    expect(toldOf("a:\n\tb: 1\n")).toMatchInlineSnapshot(`"m.yaml:2:1 error[yaml.syntax] Tabs are not allowed as indentation -> indent with spaces"`);
    expect(toldOf("a: b: c\n")).toMatchInlineSnapshot(
      `"m.yaml:1:4 error[yaml.syntax] Nested mappings are not allowed in compact mappings -> put the value in quotes if it contains a colon, or start the mapping on its own line"`,
    );
    expect(toldOf("a: [1, 2\nb: 3\n")).toContain("m.yaml:2:1 error[yaml.syntax]");
    expect(toldOf("? [a]\n: b\n")).toContain("a key is a word");
  });

  it("keeps the good documents of a file with a bad one", () => {
    const { documents, diagnostics } = read("a: 1\n---\na: 1\na: 2\n---\nb: 1\n");
    expect(documents.map(({ value }) => value)).toEqual([{ a: 1 }, { b: 1 }]);
    expect(diagnostics).toHaveLength(1);
  });

  it("reads YAML 1.2: NO, on and 12:30 stay text; keys are text", () => {
    expect(read("a: NO\nb: on\nc: 12:30\n010: x\n").documents[0]?.value).toEqual({ a: "NO", b: "on", c: "12:30", "010": "x" });
  });

  it("knows line and column of keys and values, also after CRLF, a byte order mark and through an alias", () => {
    const [document] = read("\ufeffa: &x\r\n  b:\r\n    - c\r\nd: *x\r\n").documents;
    expect(document?.locate(["a", "b", 0], "value")).toEqual({ file: "m.yaml", line: 3, column: 7 });
    expect(document?.locate(["a", "b"], "key")).toEqual({ file: "m.yaml", line: 2, column: 3 });
    expect(document?.locate(["d", "b", 0], "value")).toEqual({ file: "m.yaml", line: 3, column: 7 });
    expect(document?.locate(["d", "nothing"], "value").line).toBe(4);
  });
});
