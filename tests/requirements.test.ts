import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import known from "./requirements.ids.json" with { type: "json" };

/** Tags that must be proven by a test: core, inference, interface and application; `P` is about practice and documents. */
const proven = Object.entries(known.requirements)
  .filter(([tag]) => tag !== "P")
  .flatMap(([, ids]) => ids);
const all = new Set([...Object.values(known.requirements).flat(), ...known.security]);

const faults = new Set(known.faults);

interface Title {
  readonly file: string;
  readonly text: string;
}

/** Every literal title of a test or group below `tests`, also of suites that are called by several tests. */
function readTitles(root: string): readonly Title[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .flatMap((entry) => titlesIn(readFileSync(join(entry.parentPath, entry.name), "utf8")).map((text) => ({ file: entry.name, text })));
}

function titlesIn(text: string): readonly string[] {
  const direct = text.matchAll(
    /\b(?:it|test|describe)(?:\.(?:skip|only|concurrent|sequential|fails|todo|skipIf\([^()]*\)|runIf\([^()]*\)))*\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/g,
  );
  const tabled = text.matchAll(/\.(?:each|for)\b[\s\S]{0,20000}?\)\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/g);
  return [...direct, ...tabled].map((match) => match[2] ?? "");
}

function idsIn(title: string): readonly string[] {
  return [...title.matchAll(/\b(?:S\d\.\d+|SEC-\d+)\b/g)].map((match) => match[0]);
}

function faultsIn(title: string): readonly string[] {
  return [...title.matchAll(/\bF\d\d\b/g)].map((match) => match[0]).filter((id) => faults.has(id));
}

const titles = readTitles(import.meta.dirname);
const named = new Set(titles.flatMap((title) => [...idsIn(title.text), ...faultsIn(title.text)]));
const uncovered = proven.filter((id) => !named.has(id)).toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));

describe("requirements", () => {
  it("were looked for in the titles of all tests", () => {
    expect(titles.length).toBeGreaterThan(200);
    expect(
      titlesIn('it.skipIf(a)("S1.1 x", f); describe(`S1.2 ${y}`, g); it.each([[1, (2)]])("S1.3 %s", h); test.only(\n  "S1.4 \\" z", i);'),
    ).toEqual(["S1.1 x", "S1.2 ${y}", 'S1.4 \\" z', "S1.3 %s"]);
  });

  it("are named in titles by ids that exist", () => {
    expect(
      titles.flatMap((title) =>
        idsIn(title.text)
          .filter((id) => !all.has(id))
          .map((id) => `${title.file}: ${id}`),
      ),
    ).toEqual([]);
  });

  it("lose no test: the number of requirements that no title names does not grow", () => {
    const lines = [
      `${proven.length - uncovered.length} of ${proven.length} requirements are named by a test; without one: ${uncovered.join(" ") || "none"}`,
      `security tests without a test: ${known.security.filter((id) => !named.has(id)).join(" ") || "none"}`,
      `faults without a test: ${known.faults.filter((id) => !named.has(id)).join(" ") || "none"}`,
      ...(uncovered.length < known.uncoveredAtMost ? [`set uncoveredAtMost in tests/requirements.ids.json to ${uncovered.length}`] : []),
    ];
    console.info(lines.join("\n"));
    expect(uncovered.length).toBeLessThanOrEqual(known.uncoveredAtMost);
  });
});
