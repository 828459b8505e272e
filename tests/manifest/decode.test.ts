import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TextFile } from "../../src/ports/project-source.ts";
import { decodeFiles, decodeTexts, documents, manifest, model, textFile, told, toldOf } from "./samples.ts";

const full = `apiVersion: holdfast.dev/v1
kind: Model
metadata:
  name: Llava_7b_(Q4_0)
  labels: {area: vision}
  annotations: {owner: ann}
spec:
  displayName: LLaVA 7B
  source:
    huggingface:
      repo: org/llava
      revision: v1.0
      include: ["*.safetensors"]
      exclude: ["original/"]
      layout: dir
      dir: ~/weights/llava
  backend: vllm
  servedModelId: llava-7b
  launch:
    args: ["--max-model-len", "8192"]
    env: {CUDA_VISIBLE_DEVICES: "0"}
    chatTemplate: templates/llava.jinja
  roles: [caption, {role: description, priority: 90}]
  aliases: [vision/default, vision/default]
  capabilities: {vision: true, tools: false}
  license: mit
  lifecycle: {state: deprecated, reason: old, purgeAfter: 36h}
  protect: true
  lock: {required: true}
  testing: true
  generationDefaults: {temperature: 0.5, stop: [x]}
  metadata: {ticket: {id: 7}}
`;

const vllm = manifest("Backend", "vllm", "{type: vllm, port: 8000, active: none, activation: {startTimeout: 15m, stopTimeout: 500ms}}");

describe("decodeProject", () => {
  it("S3.16 decodes every field of a Model", () => {
    const { desired, diagnostics } = decodeTexts(documents(full, vllm));
    expect(told(diagnostics)).toBe("");
    expect(desired?.models[0]).toEqual({
      kind: "Model",
      metadata: {
        name: "Llava_7b_(Q4_0)",
        labels: { area: "vision" },
        annotations: { owner: "ann" },
        location: { file: "manifests/a.yaml", line: 4, column: 9 },
      },
      displayName: "LLaVA 7B",
      source: {
        kind: "huggingface",
        repo: "org/llava",
        revision: "v1.0",
        include: ["*.safetensors"],
        exclude: ["original/"],
        layout: "dir",
        dir: "/home/ann/weights/llava",
      },
      backend: "vllm",
      servedModelId: "llava-7b",
      launch: { args: ["--max-model-len", "8192"], env: { CUDA_VISIBLE_DEVICES: "0" }, chatTemplate: "/srv/project/templates/llava.jinja" },
      roles: [
        { role: "caption", priority: 0 },
        { role: "description", priority: 90 },
      ],
      aliases: ["vision/default"],
      capabilities: { vision: true, tools: false },
      license: "mit",
      lifecycle: { state: "deprecated", reason: "old", purgeAfter: 129_600_000 },
      protect: true,
      lock: { required: true },
      testing: true,
      generationDefaults: { temperature: 0.5, stop: ["x"] },
      extra: { ticket: { id: 7 } },
    });
    expect(desired?.backends[0]).toMatchObject({
      url: "http://127.0.0.1:8000",
      active: { kind: "none" },
      activation: { startTimeout: 900_000, stopTimeout: 500, rollback: true, smokeTest: true, maxAttempts: 3 },
    });
  });

  it("S4.104 takes the smallest Model and fills in the defaults", () => {
    expect(decodeTexts(model("qwen3:8b")).desired?.models[0]).toEqual({
      kind: "Model",
      metadata: { name: "qwen3:8b", labels: {}, annotations: {}, location: { file: "manifests/a.yaml", line: 4, column: 9 } },
      source: { kind: "ollama", model: "qwen3:8b" },
      launch: { args: [], env: {} },
      roles: [],
      aliases: [],
      capabilities: {},
      lifecycle: { state: "active" },
      protect: false,
      lock: { required: false },
      testing: false,
      generationDefaults: {},
      extra: {},
    });
  });

  it("S0.10 keeps Ollama names verbatim: ports, namespaces, upper case", () => {
    for (const name of ["localhost:5000/ns/m:tag", "hf.co/org/repo:Q4_K_M", "llama3", "Org/Model-X:Latest"]) {
      expect(decodeTexts(model("m", `{source: {ollama: {model: "${name}"}}}`)).desired?.models[0]?.source).toEqual({ kind: "ollama", model: name });
    }
  });

  it("puts a Hub model with layout dir below the models folder, by organisation and name", () => {
    const dir = (repo: string): unknown =>
      decodeTexts(model("m", `{source: {huggingface: {repo: ${repo}, layout: dir}}}`)).desired?.models[0]?.source;
    expect(dir("Qwen/Qwen3-8B")).toMatchObject({ revision: "main", dir: "/srv/models/Qwen/Qwen3-8B" });
    expect(dir("gpt2")).toMatchObject({ dir: "/srv/models/gpt2" });
    expect(decodeTexts(model("m", "{source: {path: {dir: weights/own}}}")).desired?.models[0]?.source).toEqual({
      kind: "path",
      dir: "/srv/project/weights/own",
    });
  });

  it("decodes Role, Policy and remote Model", () => {
    const role = manifest("Role", "chat", "{requires: [text, text], minContext: 8192, prefer: [m], fallback: m}");
    const remote = documents(
      model("m", "{source: {remote: {}}, backend: api}"),
      manifest("Backend", "api", "{type: openai, url: 'https://api.example.org/v1/'}"),
    );
    const policy = manifest("Policy", "p", "{validations: [{expression: 'true', message: m}]}");
    const { desired, diagnostics } = decodeFiles({
      manifests: [textFile("manifests/a.yaml", documents(role, remote))],
      policies: [textFile("policies/p.yaml", policy)],
    });
    expect(told(diagnostics)).toBe("");
    expect(desired?.roles[0]).toMatchObject({ requires: ["text"], minContext: 8192, prefer: ["m"], fallback: "m" });
    expect(desired?.models[0]?.source).toEqual({ kind: "remote" });
    expect(desired?.backends[0]?.url).toBe("https://api.example.org/v1");
    expect(desired?.policies[0]).toMatchObject({ action: "Deny", failurePolicy: "Fail", matchConditions: [], variables: [], tests: [] });
  });

  it("finds the address of a backend: url, host and port, the default of its type", () => {
    const url = (spec: string): unknown => decodeTexts(manifest("Backend", "b", spec)).desired?.backends[0]?.url;
    expect(url("{type: ollama, url: 'https://models.example.org/ollama/'}")).toBe("https://models.example.org/ollama");
    expect(url("{type: vllm, host: '::1', port: 8000}")).toBe("http://[::1]:8000");
    expect(url("{type: vllm}")).toBe("http://127.0.0.1:24001");
    expect(url("{type: lmdeploy, host: gpu-02}")).toBe("http://gpu-02:24001");
    expect(url("{type: ollama}")).toBe("http://localhost:11434");
    expect(decodeTexts(manifest("Backend", "b", "{type: ollama, store: ~/.ollama/models}")).desired?.backends[0]).not.toHaveProperty("url");
    expect(decodeTexts(manifest("Backend", "b", "{type: ollama, store: ~/.ollama/models}")).desired?.backends[0]?.store).toBe(
      "/home/ann/.ollama/models",
    );
  });

  it("SEC-34 an empty folder is an empty desired state, an empty document a note", () => {
    expect(decodeFiles({})).toMatchObject({ desired: { models: [], roles: [], backends: [], policies: [] }, diagnostics: [] });
    const { desired, diagnostics } = decodeTexts("", "# only a comment\n", `${model("m")}---\n`);
    expect(desired?.models).toHaveLength(1);
    expect(told(diagnostics)).toMatchInlineSnapshot(`
      "manifests/a.yaml:1:1 note[yaml.empty-document] the document is empty and declares nothing -> remove the extra --- line, or the file
      manifests/c.yaml:6:4 note[yaml.empty-document] the document is empty and declares nothing -> remove the extra --- line, or the file"
    `);
  });

  it("passes on what could not be read, and then has no desired state", () => {
    const problem = {
      severity: "error",
      code: "file.too-large",
      message: "the file has 9 GiB",
      location: { file: "manifests/z.yaml", line: 1, column: 1 },
    } as const;
    const { desired, diagnostics } = decodeFiles({
      manifests: [textFile("manifests/a.yaml", manifest("Role", "r", "{prefer: [unseen]}"))],
      problems: [problem],
    });
    expect(desired).toBeUndefined();
    expect(diagnostics).toEqual([problem]);
  });

  it("gives the same result for any order of files", () => {
    const files = (texts: readonly string[]): readonly TextFile[] => texts.map((text, index) => textFile(`manifests/${index}.yaml`, text));
    const valid = [full, vllm, model("b"), model("a"), manifest("Role", "r", "{}")];
    for (const texts of [valid, [...valid, model("A"), model("a"), "x: 1"]]) {
      const expected = decodeFiles({ manifests: files(texts) });
      fc.assert(
        fc.property(fc.shuffledSubarray([...files(texts)], { minLength: texts.length }), (shuffled) => {
          expect(decodeFiles({ manifests: shuffled })).toEqual(expected);
        }),
        { numRuns: 20 },
      );
    }
  });

  it("has no desired state as soon as one document is wrong, and says everything at once", () => {
    const { desired, diagnostics } = decodeTexts(
      documents(model("a"), model("b", "{}"), "kind: Modl\n"),
      "a: 1\na: 2\n",
      model("c", "{source: {ollama: {model: 'x:cloud'}}}"),
    );
    expect(desired).toBeUndefined();
    expect(diagnostics.map(({ code, location }) => `${location?.file}:${location?.line} ${code}`)).toEqual([
      "manifests/a.yaml:11 schema.missing-key",
      "manifests/a.yaml:13 manifest.kind",
      "manifests/b.yaml:2 yaml.duplicate-key",
      "manifests/c.yaml:5 source.ollama-name",
    ]);
  });

  it("keeps policies and manifests in their own folders", () => {
    expect(toldOf(manifest("Policy", "p", "{validations: [{expression: 'true', message: m}]}"))).toMatchInlineSnapshot(
      `"manifests/a.yaml:2:7 error[manifest.folder] policies are read only from the folder of the policies -> move the document to policies/"`,
    );
    expect(told(decodeFiles({ policies: [textFile("policies/p.yaml", model("m"))] }).diagnostics)).toContain(
      "a Model is not read from the folder of the policies",
    );
  });
});
