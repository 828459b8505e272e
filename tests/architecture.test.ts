import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSources, scanSource, type SourceFile } from "./architecture/read-source.ts";

const sources = readSources(join(import.meta.dirname, "..", "src"));

/** A part of the source with the rules that hold in it. */
interface Zone {
  readonly name: string;
  readonly holds: (path: string) => boolean;
  /** Zones it may import; its own files always. An adapter's own files are those of its folder. */
  readonly imports: readonly string[];
  /** Packages and built-in modules it may import; undefined = any. */
  readonly packages?: readonly string[];
}

const below =
  (folder: string) =>
  (path: string): boolean =>
    path.startsWith(`${folder}/`);
const pureZones = ["domain", "manifest", "registry", "report", "policy"];

/** First match counts. */
const zones: readonly Zone[] = [
  { name: "digest", holds: (path) => path === "domain/digest.ts", imports: ["domain"], packages: ["node:crypto"] },
  { name: "domain", holds: below("domain"), imports: ["digest"], packages: [] },
  // Of the ports it needs the type of a text file; of node:path, joining names.
  { name: "manifest", holds: below("manifest"), imports: ["domain", "digest", "ports"], packages: ["yaml", "ajv", "node:path"] },
  { name: "registry", holds: below("registry"), imports: ["domain", "digest"], packages: ["yaml"] },
  { name: "report", holds: below("report"), imports: ["domain", "digest"], packages: [] },
  { name: "policy", holds: below("policy"), imports: ["domain", "digest"], packages: ["@bufbuild/cel"] },
  { name: "ports", holds: below("ports"), imports: ["domain", "digest"], packages: [] },
  {
    name: "app",
    holds: below("app"),
    imports: ["domain", "digest", "manifest", "registry", "report", "policy", "ports"],
    packages: ["node:path", "cockatiel", "cron"],
  },
  { name: "adapters", holds: below("adapters"), imports: ["domain", "digest", "ports"] },
  { name: "mirror", holds: below("mirror"), imports: ["domain", "digest", "ports", "app"] },
  { name: "api", holds: below("api"), imports: ["domain", "digest", "ports", "app", "manifest", "registry", "report", "policy"] },
  { name: "dashboard", holds: below("dashboard"), imports: [], packages: ["preact", "@preact/signals"] },
  { name: "settings", holds: (path) => path === "settings.ts", imports: ["domain", "digest", "ports", "manifest"] },
  {
    name: "wiring",
    holds: (path) => path === "wiring.ts" || path.startsWith("wiring/"),
    imports: ["domain", "digest", "manifest", "registry", "report", "policy", "ports", "app", "adapters", "mirror", "api", "settings"],
  },
  {
    name: "commands",
    holds: (path) => path === "cli/main.ts" || path === "cli/session.ts" || path.startsWith("cli/commands/"),
    imports: ["cli", "domain", "digest", "ports", "app", "manifest", "registry", "report", "policy", "settings", "wiring", "mirror", "api"],
  },
  {
    name: "cli",
    holds: below("cli"),
    imports: ["commands", "domain", "digest", "ports", "app", "manifest", "registry", "report", "policy", "settings"],
  },
];

function zoneOf(path: string): Zone | undefined {
  return zones.find((zone) => zone.holds(path));
}

function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Everything in a set of files that breaks the one-way rule, one sentence each. */
function breachesIn(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const zone = zoneOf(file.path);
    if (zone === undefined) return [`${file.path} lies in no folder of the layout`];
    return file.references.flatMap(({ target, own, line }) => {
      const problem = own ? ownProblem(file.path, zone, target) : packageProblem(zone, target);
      return problem === undefined ? [] : [`${file.path}:${line} imports ${target}: ${problem}`];
    });
  });
}

function ownProblem(from: string, zone: Zone, target: string): string | undefined {
  if (target.startsWith("../")) return /^\.\.\/schemas\/[^/]+\.json$/.test(target) && zone.name === "manifest" ? undefined : "it lies outside of src";
  const other = zoneOf(target);
  if (other === undefined) return "it lies in no folder of the layout";
  if (zone.name === "adapters" && other.name === "adapters")
    return adapterOf(from) === adapterOf(target) ? undefined : "an adapter never imports another";
  return other.name === zone.name || zone.imports.includes(other.name) ? undefined : `${zone.name} may not know ${other.name}`;
}

function packageProblem(zone: Zone, target: string): string | undefined {
  if (target === "(computed)") return "a computed import cannot be checked";
  return zone.packages === undefined || zone.packages.includes(packageOf(target)) ? undefined : `${zone.name} may not use this package`;
}

function adapterOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

/** The first cycle among own files, as the chain of its paths. */
function cycleIn(files: readonly SourceFile[]): readonly string[] | undefined {
  const edges = new Map(files.map((file) => [file.path, file.references.filter((reference) => reference.own).map((reference) => reference.target)]));
  const done = new Set<string>();
  const walk = (path: string, chain: readonly string[]): readonly string[] | undefined => {
    if (chain.includes(path)) return [...chain.slice(chain.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of edges.get(path) ?? []) {
      const cycle = walk(next, [...chain, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of edges.keys()) {
    const cycle = walk(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** What the pure folders may not touch. `new Date(text)` and `setImmediate` decide nothing and are allowed. */
const impure: Readonly<Record<string, RegExp>> = {
  "the clock": /\bDate\.now\b|\bnew Date\(\s*\)|(?<!new )\bDate\(|\bperformance\.(?:now|timeOrigin|mark)\b|\bTemporal\.Now\b/,
  "a timer": /\bset(?:Timeout|Interval)\b/,
  randomness: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\bcrypto\.getRandomValues\b/,
  "the process": /\bprocess\b(?!:)/,
  "the console": /\bconsole\b/,
  "the network": /\bfetch\s*\(|\bWebSocket\b|\bXMLHttpRequest\b/,
  "the locale": /\btoLocale\w+\(|\blocaleCompare\b|\bIntl\b/,
};

describe("the layout", () => {
  it("was looked at: there are files in every pure folder, in ports, app, adapters and cli", () => {
    expect(sources.length).toBeGreaterThan(100);
    for (const folder of [...pureZones, "ports", "app", "adapters", "cli"])
      expect(sources.filter((file) => file.path.startsWith(`${folder}/`)).length, folder).toBeGreaterThan(3);
    expect(sources.flatMap((file) => file.references).length).toBeGreaterThan(300);
  });

  it("imports run one way", () => {
    expect(breachesIn(sources)).toEqual([]);
  });

  it("has no import cycles", () => {
    expect(cycleIn(sources)).toBeUndefined();
  });

  it("keeps every file at 300 lines or below", () => {
    expect(
      sources.filter((file) => file.lines > 300 && !file.path.startsWith("manifest/written/")).map((file) => `${file.path}: ${file.lines}`),
    ).toEqual([]);
  });

  it("keeps the pure folders free of clock, randomness, process, console, network and locale", () => {
    const pure = sources.filter((file) => pureZones.some((zone) => file.path.startsWith(`${zone}/`)));
    const found = pure.flatMap((file) =>
      Object.entries(impure).flatMap(([what, pattern]) => (pattern.test(file.code) ? [`${file.path} uses ${what}`] : [])),
    );
    expect(found).toEqual([]);
  });

  it("has named exports only, and file names in kebab case", () => {
    expect(sources.filter((file) => /\bexport\s+default\b|\bas\s+default\b/.test(file.code)).map((file) => file.path)).toEqual([]);
    expect(sources.filter((file) => !/^[a-z0-9]+(?:[-/][a-z0-9]+)*\.ts$/.test(file.path)).map((file) => file.path)).toEqual([]);
  });

  it("has no barrel files", () => {
    const barrels = sources.filter(
      (file) =>
        file.path.endsWith("/index.ts") ||
        (/\bexport\b/.test(file.code) && file.code.replaceAll(/\bexport\b[^;]*\bfrom\s*"\d+";?/g, "").trim() === ""),
    );
    expect(barrels.map((file) => file.path)).toEqual([]);
  });
});

describe("the test of the layout itself", () => {
  const referencesOf = (text: string): readonly string[] => scanSource("app/x.ts", text).references.map((reference) => reference.target);

  it("sees every way to depend on a module", () => {
    expect(
      referencesOf(`
        import { a } from "../domain/a.ts";
        import type { B } from '../domain/b.ts';
        import {
          c,
        } from "../domain/c.ts";
        import "../domain/d.ts";
        export { e } from "../domain/e.ts";
        export * from "../domain/f.ts";
        const g = await import("../domain/g.ts");
        type H = typeof import("../domain/h.ts");
        const worker = new URL("../adapters/hashing/hash-worker.ts", import.meta.url);
        import { readFile } from "node:fs/promises";
        const lazy = await import(name);
      `).toSorted(),
    ).toEqual(
      [
        "(computed)",
        ...["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `domain/${name}.ts`),
        "adapters/hashing/hash-worker.ts",
        "node:fs/promises",
      ].toSorted(),
    );
  });

  it("is not misled by comments, strings, templates and regular expressions", () => {
    const text = [
      '// import { a } from "../adapters/a.ts";',
      '/* import "../adapters/b.ts" */',
      "const text = \"import { c } from '../adapters/c.ts'\";",
      "const pattern = /[\"'`]/; const other = 4 / 2 / 1;",
      "const template = `import \"../adapters/d.ts\" ${call({ a: `${1}` })} import('../adapters/e.ts')`;",
      'import { z } from "./z.ts"; // process',
    ].join("\n");
    expect(referencesOf(text)).toEqual(["app/z.ts"]);
    expect(scanSource("app/x.ts", text).code).not.toContain("process");
  });

  it("finds planted breaches", () => {
    const planted: readonly (readonly [string, string])[] = [
      ["domain/x.ts", 'import type { P } from "../ports/clock.ts";'],
      ["domain/x.ts", 'import { createHash } from "node:crypto";'],
      ["report/x.ts", 'import { x } from "../registry/x.ts";'],
      ["ports/x.ts", 'import { x } from "../app/x.ts";'],
      ["app/x.ts", 'const x = await import("../adapters/ollama/x.ts");'],
      ["app/x.ts", 'import { readFile } from "node:fs/promises";'],
      ["adapters/ollama/x.ts", 'import { x } from "../huggingface/x.ts";'],
      ["adapters/ollama/x.ts", 'import type { X } from "../../app/x.ts";'],
      ["api/x.ts", 'import { x } from "../wiring.ts";'],
      ["cli/render/x.ts", 'import { x } from "../../wiring.ts";'],
      ["manifest/x.ts", 'import { x } from "../../tests/x.ts";'],
      ["elsewhere/x.ts", ""],
    ];
    for (const [path, text] of planted) expect(breachesIn([scanSource(path, text)]), `${path}: ${text}`).toHaveLength(1);
    const allowed: readonly (readonly [string, string])[] = [
      ["domain/digest.ts", 'import { createHash } from "node:crypto";'],
      ["adapters/ollama/x.ts", 'import { y } from "./y.ts"; import { z } from "../../ports/z.ts"; import { q } from "undici";'],
      ["cli/commands/x.ts", 'const { createHost } = await import("../../wiring.ts");'],
      ["manifest/x.ts", 'import schema from "../../schemas/model.schema.json" with { type: "json" }; import Ajv from "ajv/dist/ajv.js";'],
    ];
    for (const [path, text] of allowed) expect(breachesIn([scanSource(path, text)]), `${path}: ${text}`).toEqual([]);
  });

  it("finds planted cycles and impure words", () => {
    const cycle = [scanSource("app/a.ts", 'import { b } from "./b.ts";'), scanSource("app/b.ts", 'import type { a } from "./a.ts";')];
    expect(cycleIn(cycle)).toEqual(["app/a.ts", "app/b.ts", "app/a.ts"]);
    const impureTexts = [
      "Date.now()",
      "new Date()",
      "Math.random()",
      "process.env",
      "console.log(1)",
      "setTimeout(f, 1)",
      "await fetch(url)",
      "a.localeCompare(b)",
    ];
    for (const text of impureTexts)
      expect(
        Object.values(impure).some((pattern) => pattern.test(scanSource("domain/x.ts", text).code)),
        text,
      ).toBe(true);
    expect(
      Object.values(impure).some((pattern) => pattern.test(scanSource("domain/x.ts", "new Date(text); prefetch(x); const inProcess = 1;").code)),
    ).toBe(false);
  });
});
