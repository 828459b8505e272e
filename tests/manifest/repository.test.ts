import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkPolicies } from "../../src/policy/check-policies.ts";
import { testPolicies } from "../../src/policy/test-policies.ts";
import { loadSettings } from "../../src/settings.ts";
import { decodeFiles, textFile, told } from "./samples.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const filesBelow = (folder: string): ReturnType<typeof textFile>[] =>
  readdirSync(`${root}${folder}`).map((name) => textFile(`${folder}/${name}`, readFileSync(`${root}${folder}/${name}`, "utf8")));

describe("the manifests of this repository", () => {
  const files = { manifests: filesBelow("manifests"), policies: filesBelow("policies") };
  const { desired, diagnostics } = decodeFiles(files);

  it("are valid without a warning", () => {
    expect(told(diagnostics)).toBe("");
    expect(desired?.models.length).toBeGreaterThan(4);
    expect(desired?.roles.length).toBeGreaterThan(3);
    expect(desired?.backends.map(({ type }) => type)).toEqual(["ollama", "vllm"]);
  });

  it("S1.68 show a served vision model, a deprecated model with its successor and a licence for each", () => {
    expect(desired?.backends.flatMap(({ active }) => active ?? [])).toEqual([{ kind: "model", name: "qwen25-vl-7b" }]);
    expect(desired?.models.filter(({ lifecycle }) => lifecycle.state === "deprecated").map(({ lifecycle }) => lifecycle.replacedBy)).toEqual([
      "qwen3-8b",
    ]);
    expect(desired?.models.filter(({ license }) => license === undefined)).toEqual([]);
  });

  it("name their schema for editors, by a path that exists", () => {
    for (const { path, text } of [
      ...files.manifests,
      ...files.policies,
      textFile("configs/holdfast.yaml", readFileSync(`${root}configs/holdfast.yaml`, "utf8")),
    ]) {
      const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? "missing";
      expect(() => readFileSync(new URL(schema, `file://${root}${path}`)), path).not.toThrow();
    }
  });

  it("have policies whose expressions compile and whose tests pass", async () => {
    const policies = desired?.policies ?? [];
    expect(told(await checkPolicies(policies))).toBe("");
    const results = await testPolicies(policies);
    expect(results.length).toBeGreaterThan(10);
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
    expect(policies.filter(({ tests }) => new Set(tests.map(({ expect: expected }) => expected)).size < 2)).toEqual([]);
  });

  it("have settings that are valid", async () => {
    const loaded = await loadSettings({
      flags: {},
      env: {},
      root: "/srv/project",
      home: "/home/ann",
      projectFile: textFile("configs/holdfast.yaml", readFileSync(`${root}configs/holdfast.yaml`, "utf8")),
    });
    expect(told(loaded.diagnostics)).toBe("");
    expect(loaded.settings?.paths.registry).toBe("/srv/project/configs");
  });
});
