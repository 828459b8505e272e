import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileSelected, matchesPattern } from "../../src/domain/file-patterns.ts";

describe("file patterns", () => {
  it.each([
    ["a/b/c.json", "*.json", true],
    ["config.json", "config.json", true],
    ["a.json", "?.json", true],
    ["ab.json", "?.json", false],
    ["onnx/model.onnx", "onnx/", true],
    ["m-1.bin", "m-[0-3].bin", true],
    ["m-7.bin", "m-[0-3].bin", false],
    ["m-7.bin", "m-[!0-3].bin", true],
    ["a[b", "a[b", true],
    ["x]", "x[]]", true],
    ["a-b", "a[a-]b", true],
    ["Config.json", "config.json", false],
  ] as const)("%s against %s is %s", (path, pattern, expected) => {
    expect(matchesPattern(path, pattern)).toBe(expected);
  });

  it("an empty include means everything, exclude wins", () => {
    expect(["a.bin", "b.txt"].filter((path) => fileSelected(path, [], ["*.bin"]))).toEqual(["b.txt"]);
    expect(fileSelected("a.bin", ["*.bin"], ["a*"])).toBe(false);
  });

  it("SEC-27 many stars against a long path end quickly", () => {
    expect(matchesPattern("a".repeat(1000), `${"*a".repeat(120)}*b`)).toBe(false);
  });

  it("agrees with Python's fnmatchcase", ({ skip }) => {
    const python = process.env["HOLDFAST_TEST_PYTHON"];
    if (python === undefined) return skip("set HOLDFAST_TEST_PYTHON to a Python to compare with fnmatch");
    const letters = fc.array(fc.constantFrom("a", "b", "/", "*", "?", "[", "]", "!", "-", "."), { maxLength: 8 }).map((chars) => chars.join(""));
    const cases = fc.sample(
      fc.tuple(
        fc.array(fc.constantFrom("a", "b", "/", "-", ".", "]"), { maxLength: 6 }).map((chars) => chars.join("")),
        letters,
      ),
      2000,
    );
    const script =
      "import sys,json,fnmatch\nprint(json.dumps([fnmatch.fnmatchcase(p, q + '*' if q.endswith('/') else q) for p, q in json.load(sys.stdin)]))";
    const theirs: boolean[] = JSON.parse(execFileSync(python, ["-c", script], { input: JSON.stringify(cases), encoding: "utf8" }));
    expect(cases.filter(([path, pattern], index) => matchesPattern(path, pattern) !== theirs[index])).toEqual([]);
    return undefined;
  });
});
