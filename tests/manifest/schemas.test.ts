import { Ajv } from "ajv";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generateTypes } from "../../.ci/generate-manifest-types.ts";
import type { Plan } from "../../src/domain/action.ts";
import type { DriftReport } from "../../src/domain/drift.ts";
import { nameProblem } from "../../src/manifest/names.ts";
import { bundledSchema } from "../../src/manifest/schema-bundle.ts";
import { isSchemaName, schemaNames, schemas, type SchemaName } from "../../src/manifest/schemas.ts";
import { validate } from "../../src/manifest/validate.ts";
import type { WrittenDriftReport } from "../../src/manifest/written/drift-report.ts";
import type { WrittenPlan } from "../../src/manifest/written/plan.ts";
import { fullPlan } from "./plan-samples.ts";

type Node = Readonly<Record<string, unknown>>;

/** A type with every optional member made required, all the way down. */
type Whole<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Whole<U>[]
    : { readonly [K in keyof T]-?: Whole<T[K]> };

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every property of a schema with the path to it; references are followed one step. */
function propertiesOf(node: unknown, path: string): readonly { readonly path: string; readonly property: Node }[] {
  if (Array.isArray(node)) return node.flatMap((item, index) => propertiesOf(item, `${path}/${index}`));
  if (!isNode(node)) return [];
  const own =
    isNode(node["properties"]) && !path.endsWith("/properties")
      ? Object.entries(node["properties"]).map(([key, property]) => ({ path: `${path}/${key}`, property: isNode(property) ? property : {} }))
      : [];
  return [
    ...own,
    ...Object.entries(node)
      .filter(([key]) => key !== "examples" && key !== "default")
      .flatMap(([key, value]) => propertiesOf(value, `${path}/${key}`)),
  ];
}

function resolved(property: Node, root: Node): Node {
  const ref = property["$ref"];
  if (typeof ref !== "string") return property;
  const [file = "", pointer = ""] = ref.split("#");
  const base = file === "" ? root : Object.values(schemas).find((schema) => schema.$id === file);
  const target = pointer
    .split("/")
    .slice(1)
    .reduce<unknown>((node, key) => (isNode(node) ? node[key] : undefined), base);
  return { ...(isNode(target) ? resolved(target, isNode(base) ? base : {}) : {}), ...property };
}

const names: readonly SchemaName[] = schemaNames.filter(isSchemaName);

describe("the published schemas", () => {
  it("are draft-07 and strict: no unknown keyword, no broken reference", () => {
    const ajv = new Ajv({ strict: true, allowUnionTypes: false });
    ajv.addVocabulary(["tsType", "environment"]);
    for (const schema of Object.values(schemas)) ajv.addSchema(schema);
    for (const name of names) {
      expect(schemas[name].$schema).toBe("http://json-schema.org/draft-07/schema#");
      expect(ajv.getSchema(schemas[name].$id), name).toBeTypeOf("function");
    }
  });

  it("S3.16 give every field a description and a default or an example", () => {
    const found = names.flatMap((name) =>
      propertiesOf(schemas[name], name).map(({ path, property }) => ({ path, property: resolved(property, schemas[name]) })),
    );
    expect(found.length).toBeGreaterThan(200);
    const shown = (property: Node): boolean =>
      ["default", "examples", "const", "enum"].some((keyword) => keyword in property) || isNode(property["properties"]);
    const bare = found.filter(({ property }) => typeof property["description"] !== "string" || !shown(property));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  it("have examples and defaults that they accept themselves", () => {
    const ajv = new Ajv({ strict: false });
    for (const schema of Object.values(schemas)) ajv.addSchema(schema);
    for (const name of names) {
      for (const { path, property } of propertiesOf(schemas[name], name)) {
        const value = resolved(property, schemas[name]);
        const samples: readonly unknown[] = [
          ...(Array.isArray(value["examples"]) ? value["examples"] : []),
          ...("default" in value ? [value["default"]] : []),
        ];
        const local = { ...property, definitions: "definitions" in schemas[name] ? schemas[name].definitions : {} };
        const check = ajv.compile(local);
        for (const sample of samples) expect(check(structuredClone(sample)), `${path}: ${JSON.stringify(sample)}`).toBe(true);
      }
    }
  });

  it("forbid unknown keys wherever a person writes", () => {
    const open = names
      .filter((name) => !["drift-report", "manifest"].includes(name))
      .flatMap((name) => propertiesOf(schemas[name], name).map(({ path, property }) => ({ path, property })))
      .filter(({ property }) => property["type"] === "object" && property["properties"] !== undefined && property["additionalProperties"] !== false);
    expect(open.map(({ path }) => path)).toEqual([]);
  });

  it("are the source of the committed types", () => {
    for (const [path, text] of generateTypes()) expect(readFileSync(new URL(`../../src/manifest/${path}`, import.meta.url), "utf8"), path).toBe(text);
  });

  it("describe plan and drift report exactly: these functions compile only when both sides have the same members", () => {
    const everyMemberOfPlan = [(plan: Whole<Plan>): Whole<WrittenPlan> => plan, (plan: Whole<WrittenPlan>): Whole<Plan> => plan];
    const everyMemberOfReport = [
      (report: Whole<DriftReport>): Whole<WrittenDriftReport> => report,
      (report: Whole<WrittenDriftReport>): Whole<DriftReport> => report,
    ];
    expect([...everyMemberOfPlan, ...everyMemberOfReport]).toHaveLength(4);
  });

  it("accept a drift report, and additions of later versions", () => {
    const written = (report: DriftReport): WrittenDriftReport => report;
    const read = (report: WrittenDriftReport): DriftReport => report;
    const counts = {
      missing: 1,
      extra: 0,
      digest: 0,
      incomplete: 0,
      corrupt: 0,
      config: 0,
      role: 0,
      backend: 0,
      "stale-runner": 0,
      "upstream-moved": 0,
      unverified: 0,
      unknown: 0,
    };
    const report = written({
      formatVersion: "1.0",
      revision: { dirty: true, digest: "d" },
      observedAt: "2026-11-21T11:50:02.000Z",
      level: "stat",
      summary: counts,
      inSync: ["m"],
      drifts: [
        {
          id: "1",
          class: "missing",
          object: "model/m",
          store: "ollama:local",
          ref: "r",
          path: "p",
          message: "m",
          expected: "a",
          actual: "b",
          level: "full",
          location: { file: "f", line: 1, column: 1 },
          response: "pull",
        },
      ],
      verifiedAt: { oldest: "2026-11-21T11:50:02.000Z", never: [] },
    });
    expect(validate("drift-report", report)).toEqual({ data: read(report) });
    expect(validate("drift-report", { ...report, addedLater: true })).toHaveProperty("data");
    expect(validate("drift-report", { ...report, level: "deep" })).toHaveProperty("errors");
    expect(validate("drift-report", { ...report, drifts: [{ ...report.drifts[0], store: "elsewhere" }] })).toHaveProperty("errors");
  });

  it("can be bundled into one file that needs no other", () => {
    const samples: Partial<Record<SchemaName, { readonly good: unknown; readonly bad: unknown }>> = {
      manifest: {
        good: { apiVersion: "holdfast.dev/v1", kind: "Role", metadata: { name: "r" }, spec: { prefer: ["m"] } },
        bad: { apiVersion: "holdfast.dev/v1", kind: "Role", metadata: { name: "-r" }, spec: {} },
      },
      plan: { good: fullPlan(), bad: { ...fullPlan(), createdAt: "today" } },
      settings: { good: { prune: { grace: "7d" } }, bad: { prune: { grace: 7 } } },
    };
    for (const name of names) {
      const bundle = bundledSchema(name);
      expect(JSON.stringify(bundle), name).not.toMatch(/"\$ref":"[^#]/);
      const ajv = new Ajv({ strict: false });
      const check = ajv.compile(isNode(bundle) ? bundle : {});
      const sample = samples[name];
      if (sample !== undefined) expect([check(sample.good), check(sample.bad)], name).toEqual([true, false]);
    }
  });

  it("say about names what the code says in words", () => {
    const accepted = (name: string): boolean =>
      "data" in validate("role", { apiVersion: "holdfast.dev/v1", kind: "Role", metadata: { name }, spec: {} });
    const pieces = ["a", "B", "7", ".", "..", "/", "-", "_", "(", ")", " ", "\\", "\u0007", "\u202e", "\u00a0", "é", "😀", "model-ollama-gguf", ":"];
    const texts = pieces.flatMap((a) => [a, ...pieces.flatMap((b) => [`${a}${b}`, ...pieces.map((c) => `${a}${b}${c}`)])]);
    expect(texts.filter((text) => accepted(text) !== (nameProblem(text) === undefined))).toEqual([]);
  });

  it("SEC-27 have no pattern that a long text can hang", () => {
    const hostile = ["a", "/", "a/", "-", ".", "./", " ", "9", "\\", "é"].map((part) => part.repeat(200_000));
    for (const text of hostile) {
      const errors = validate("model", {
        apiVersion: text,
        kind: "Model",
        metadata: { name: text },
        spec: {
          servedModelId: text,
          capabilities: { [text]: true },
          launch: { env: { [text]: text } },
          lifecycle: { purgeAfter: text },
          source: { huggingface: { repo: "a/b", dir: text, include: [text] } },
        },
      });
      expect(errors).toHaveProperty("errors");
    }
  });
});
