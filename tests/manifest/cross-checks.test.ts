import { describe, expect, it } from "vitest";
import { decodeProject } from "../../src/manifest/decode.ts";
import { decodeTexts, documents, manifest, model, options, textFile, toldOf } from "./samples.ts";

const backend = (name: string, spec: string): string => manifest("Backend", name, spec);
const hub = (name: string, fields: string, rest = ""): string => model(name, `{source: {huggingface: {${fields}}}${rest}}`);
const ollama = (name: string, tag: string, rest = ""): string => model(name, `{source: {ollama: {model: "${tag}"}}${rest}}`);

describe("manifests that contradict each other", () => {
  it("two manifests for one name, in one file or in two", () => {
    expect(toldOf(documents(model("qwen3"), model("qwen3")), model("qwen3"))).toMatchInlineSnapshot(`
      "manifests/a.yaml:10:9 error[manifest.duplicate-name] Model "qwen3" is already declared in manifests/a.yaml:4 -> remove or rename one of the two
      manifests/b.yaml:4:9 error[manifest.duplicate-name] Model "qwen3" is already declared in manifests/a.yaml:4 -> remove or rename one of the two"
    `);
    expect(toldOf(model("chat"), manifest("Role", "chat", "{}"))).toBe("");
  });

  it("names that differ only in case or in Unicode form", () => {
    expect(toldOf(ollama("Qwen3", "a"), ollama("qwen3", "b"), manifest("Role", "Chat", "{}"), manifest("Role", "chat", "{}"))).toMatchInlineSnapshot(`
      "manifests/b.yaml:4:9 error[manifest.case-twin] Model "qwen3" and "Qwen3" (manifests/a.yaml:4) differ only in case -> give one of them another name
      manifests/d.yaml:4:9 error[manifest.case-twin] Role "chat" and "Chat" (manifests/c.yaml:4) differ only in case -> give one of them another name"
    `);
    expect(toldOf(ollama('"caf\\u00e9"', "a"), ollama('"cafe\\u0301"', "b"))).toContain("manifest.case-twin");
  });

  it("S3.34 aliases that lead elsewhere", () => {
    expect(toldOf(ollama("a", "a", ", aliases: [b, x, A]"), ollama("b", "b", ", aliases: [X]"))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:50 error[model.alias-clash] the alias "b" already leads to model "b" (manifests/b.yaml:4) -> choose another alias
      manifests/a.yaml:5:56 warning[model.alias-of-itself] the alias "A" is already a name of this model -> remove it
      manifests/b.yaml:5:50 error[model.alias-clash] the alias "X" already leads to model "a" (manifests/a.yaml:4) -> choose another alias"
    `);
  });

  it("models that nobody can keep in memory, and times that make no sense", () => {
    expect(
      toldOf(
        hub("a", "repo: org/a", ", keepLoaded: true"),
        model("b", "{source: {remote: {}}, backend: ollama, keepLoaded: 30m}"),
        ollama("c", "c", ", keepLoaded: 0s"),
        ollama("d", "d", ", keepLoaded: 99w"),
        ollama("e", "e", ", keepLoaded: true, lifecycle: {state: deprecated}"),
        ollama("f", "f", ", keepLoaded: 30"),
        ollama("i", "i", ", keepLoaded: false"),
        ollama("g", "g:8b-cloud", ", keepLoaded: true"),
        ollama("h", "h", ", keepLoaded: 30m"),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:58 error[model.keep-loaded-source] only Ollama loads models in advance: the source is huggingface -> remove it; a Backend keeps the model in memory that its active names
      manifests/b.yaml:5:59 error[model.keep-loaded-source] a remote model is not in the memory of this machine: the source is remote -> remove it; the other machine decides what it keeps in memory
      manifests/c.yaml:5:52 error[model.keep-loaded-time] a model cannot be kept in memory for less than a second -> remove keepLoaded: without it what is in memory is left alone
      manifests/d.yaml:5:52 error[model.keep-loaded-time] more than a year is for ever -> write keepLoaded: true
      manifests/e.yaml:5:52 warning[model.keep-loaded-deprecated] a deprecated model is not kept in memory -> remove keepLoaded
      manifests/f.yaml:5:52 error[schema.type] spec.keepLoaded must be text, but YAML reads 30 as the number 30 -> write "30", in quotes
      manifests/h.yaml:5:33 error[source.ollama-name] "g:8b-cloud" is not a name that Ollama takes: the tag "8b-cloud" is reserved by Ollama -> use another tag; cloud models have no local bytes: declare them with source \`remote\`"
    `);
  });

  it("backends that do not exist, or cannot serve the source", () => {
    const declared = documents(backend("local", "{type: ollama}"), backend("vllm", "{type: vllm}"));
    expect(
      toldOf(
        declared,
        ollama("a", "a", ", backend: locl"),
        ollama("b", "b", ", backend: vllm"),
        hub("c", "repo: a/b", ", backend: local"),
        ollama("d", "d", ", backend: local"),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/b.yaml:5:49 error[model.unknown-backend] no Backend is called "locl" -> did you mean local?
      manifests/c.yaml:5:49 error[model.backend-type] the source is Ollama, but Backend "vllm" is of type vllm -> name a Backend of type ollama, or take the model from another source
      manifests/d.yaml:5:53 error[model.backend-type] Backend "local" is Ollama, which serves only what it has pulled itself, not a huggingface source -> take it by source ollama, for example hf.co/org/repo:Q4_K_M, or name another backend"
    `);
  });

  it("S4.121 several Ollama backends: the model has to name one", () => {
    const two = documents(backend("near", "{type: ollama}"), backend("far", "{type: ollama, url: 'http://far:11434'}"));
    expect(toldOf(two, ollama("a", "a"), ollama("b", "b", ", backend: far"))).toMatchInlineSnapshot(
      `"manifests/b.yaml:5:7 error[model.backend-ambiguous] there are 2 Ollama backends and the model names none -> add backend: with one of near, far"`,
    );
  });

  it("arguments that Holdfast sets itself", () => {
    const vllm = backend("vllm", "{type: vllm}");
    expect(toldOf(documents(vllm, hub("m", "repo: a/b", ', backend: vllm, launch: {args: [--dtype, auto, "--port=80"]}')))).toMatchInlineSnapshot(
      `"manifests/a.yaml:11:74 error[model.own-argument] launch.args sets --port, which Holdfast sets and checks itself -> remove it: servedModelId, and host and port of the Backend, say the same"`,
    );
  });

  it("S4.104 without any Backend the Ollama server of the settings is taken, unless its name is", () => {
    const { desired } = decodeTexts(documents(ollama("a", "a"), ollama("b", "b", ", backend: ollama")));
    expect(desired?.backends).toMatchObject([{ type: "ollama", metadata: { name: "ollama" }, url: "http://localhost:11434" }]);
    const settings = { ...options, ollamaUrl: "http://gpu-01:11434", ollamaStore: "/data/ollama" };
    const files = {
      revision: { dirty: false, digest: "d" },
      manifests: [textFile("manifests/a.yaml", ollama("a", "a"))],
      policies: [],
      problems: [],
    };
    expect(decodeProject(files, settings).desired?.backends).toMatchObject([{ url: "http://gpu-01:11434", store: "/data/ollama" }]);
    expect(decodeTexts(hub("m", "repo: a/b")).desired?.backends).toEqual([]);
    expect(toldOf(documents(ollama("a", "a"), backend("ollama", "{type: openai, url: 'http://x'}")))).toContain("model.no-ollama-backend");
  });

  it("one endpoint declared twice", () => {
    expect(
      toldOf(
        documents(
          backend("a", "{type: ollama}"),
          backend("b", "{type: ollama, url: 'http://localhost:11434/'}"),
          backend("c", "{type: openai, url: 'https://x'}"),
          backend("d", "{type: openai, url: 'https://x'}"),
        ),
      ),
    ).toMatchInlineSnapshot(
      `"manifests/a.yaml:11:27 error[backend.same-endpoint] http://localhost:11434 is already Backend "a" (manifests/a.yaml:4) -> keep one of the two; several models can name the same Backend"`,
    );
  });

  it.each([
    ["{type: ollama, url: 'http://localhost:11434'}", "{type: ollama, url: 'http://127.0.0.1:11434'}"],
    ["{type: ollama}", "{type: ollama, url: 'http://[::1]:11434'}"],
    ["{type: ollama}", "{type: ollama, url: 'http://0.0.0.0:11434/'}"],
    ["{type: ollama}", "{type: ollama, url: 'http://[0:0::0]:11434'}"],
    ["{type: ollama}", "{type: ollama, url: 'HTTP://LocalHost:11434//'}"],
    ["{type: ollama}", "{type: ollama, host: LOCALHOST.}"],
    ["{type: ollama}", "{type: ollama, host: '::1'}"],
    ["{type: ollama, url: 'http://GPU-01:80/'}", "{type: ollama, host: gpu-01, port: 80}"],
    ["{type: ollama, url: 'https://gpu-01:443'}", "{type: ollama, url: 'https://gpu-01'}"],
    ["{type: ollama, store: /data/ollama}", "{type: ollama, store: /data/x/../ollama/}"],
    ["{type: ollama, store: ~/o}", "{type: ollama, store: ~/o/}"],
  ])("one endpoint in two spellings: %s and %s", (first, second) => {
    const lines = toldOf(documents(backend("a", first), backend("b", second))).split("\n");
    expect(lines).toEqual([expect.stringMatching(/ error\[backend\.same-endpoint\] .* (server|folder|already).* Backend "a"/)]);
  });

  it.each([
    ["{type: ollama}", "{type: ollama, port: 11435}"],
    ["{type: ollama}", "{type: ollama, url: 'https://localhost:11434'}"],
    ["{type: ollama}", "{type: ollama, host: gpu-01}"],
    ["{type: ollama}", "{type: ollama, url: 'http://localhost:11434/second'}"],
    ["{type: ollama, store: /data/a}", "{type: ollama, store: /data/b}"],
  ])("two endpoints that look alike: %s and %s", (first, second) => {
    expect(toldOf(documents(backend("a", first), backend("b", second)))).toBe("");
  });

  it("an active model that is absent, elsewhere or deprecated", () => {
    const models = documents(
      hub("good", "repo: a/good", ", backend: v1"),
      hub("lone", "repo: a/lone"),
      hub("other", "repo: a/other", ", backend: v5"),
      hub("old", "repo: a/old", ", backend: v4, lifecycle: {state: deprecated, replacedBy: good}"),
    );
    const active = ["good", "god", "lone", "old", "none"];
    expect(
      toldOf(models, documents(...active.map((name, index) => backend(`v${index + 1}`, `{type: vllm, port: ${8000 + index}, active: ${name}}`)))),
    ).toMatchInlineSnapshot(`
      "manifests/b.yaml:11:40 error[backend.active-unknown] no Model is called "god" -> did you mean good?
      manifests/b.yaml:17:40 error[backend.active-elsewhere] model "lone" belongs to no backend, not to this one -> add backend: v3 to the model, or name another model
      manifests/b.yaml:23:40 error[backend.active-deprecated] model "old" is deprecated -> write active: good"
    `);
    expect(
      toldOf(
        hub("other", "repo: a/other", ", backend: v2"),
        documents(backend("v1", "{type: vllm, active: other}"), backend("v2", "{type: vllm, port: 1}")),
      ),
    ).toContain('belongs to backend "v2"');
  });

  it("roles that name absent or deprecated models", () => {
    const models = documents(ollama("new", "n"), ollama("old", "o", ", lifecycle: {state: deprecated, replacedBy: new}"));
    expect(toldOf(models, manifest("Role", "chat", "{prefer: [new, old, nwe], fallback: zebra}"))).toMatchInlineSnapshot(`
      "manifests/b.yaml:5:22 warning[role.deprecated-model] model "old" is deprecated and will not be selected -> name new
      manifests/b.yaml:5:27 error[role.unknown-model] no Model is called "nwe" -> did you mean new?
      manifests/b.yaml:5:43 error[role.unknown-model] no Model is called "zebra" -> possible here: new, old"
    `);
  });

  it("S3.39 successors that are absent, deprecated or the model itself", () => {
    const gone = (name: string, by: string): string => ollama(name, name, `, lifecycle: {state: deprecated, replacedBy: ${by}}`);
    expect(toldOf(documents(gone("a", "a"), gone("b", "nobody"), gone("c", "d"), gone("d", "e"), ollama("e", "e")))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:83 error[model.replaced-by-itself] a model cannot replace itself -> name the successor
      manifests/a.yaml:11:83 error[model.unknown-successor] no Model is called "nobody" -> possible here: a, b, c, d, e
      manifests/a.yaml:17:83 warning[model.replaced-by-deprecated] the successor "d" is deprecated itself -> name e"
    `);
  });

  it("S0.12 Ollama names that are one model to Ollama", () => {
    expect(toldOf(ollama("a", "llava:7b"), ollama("b", "LLaVA:7B"))).toMatchInlineSnapshot(
      `"manifests/b.yaml:5:33 error[source.ollama-case-twin] "LLaVA:7B" and "llava:7b" of model "a" (manifests/a.yaml:4) differ only in case, which Ollama ignores -> write llava:7b, or remove one of the two"`,
    );
    expect(toldOf(ollama("a", "llama3"), ollama("b", "registry.ollama.ai/library/llama3:latest"))).toBe("");
    expect(toldOf(ollama("a", "a/x"), ollama("b", "c/x"))).toBe("");
  });

  it("one place in a store with contradicting settings is a warning", () => {
    expect(toldOf(ollama("a", "llama3", ", protect: true"), ollama("b", "llama3:latest", ", lifecycle: {state: deprecated}"))).toMatchInlineSnapshot(
      `"manifests/b.yaml:5:16 warning[source.shared] the same bytes are declared by model "a" (manifests/a.yaml:4) with another lifecycle.state, protect -> make the two agree, or declare one model with aliases"`,
    );
    expect(toldOf(hub("a", "repo: a/b, include: [x, y]"), hub("b", "repo: a/b, include: [y, x]"))).toBe("");
    expect(toldOf(hub("a", "repo: a/b, include: [x]"), hub("b", "repo: a/b"))).toContain("with another include");
    expect(toldOf(hub("a", "repo: a/b"), hub("b", "repo: a/b, revision: dev", ", protect: true"))).toBe("");
  });

  it("folders that two models share or nest", () => {
    const dir = (name: string, repo: string, place: string): string => hub(name, `repo: ${repo}, layout: dir, dir: ${place}`);
    expect(toldOf(dir("a", "a/b", "/data/x"), dir("b", "a/c", "/data/x/"), dir("c", "a/d", "/data/x/sub/deep"), dir("d", "a/e", "/data/x-other")))
      .toMatchInlineSnapshot(`
      "manifests/b.yaml:5:16 error[source.shared-dir] the folder already belongs to model "a" (manifests/a.yaml:4), with another content -> give each model a folder of its own
      manifests/c.yaml:5:16 error[source.nested-dir] the folder lies inside that of model "b" (manifests/b.yaml:4) -> put the two side by side"
    `);
    expect(toldOf(hub("a", "repo: a/b, layout: dir"), hub("b", "repo: a/b, layout: dir, revision: dev"))).toContain("source.shared-dir");
  });

  it("nobody is told that something does not exist when it is only broken or unread", () => {
    expect(toldOf(documents(model("m", "{source: {}}"), manifest("Role", "r", "{prefer: [m]}")))).not.toContain("role.unknown-model");
    expect(toldOf("a: [\n", manifest("Role", "r", "{prefer: [m]}"))).not.toContain("role.unknown-model");
    expect(toldOf(documents(backend("v", "{type: vlm}"), hub("m", "repo: a/b", ", backend: v")))).not.toContain("model.unknown-backend");
  });

  it("warnings do not stop the desired state", () => {
    expect(decodeTexts(ollama("a", "llama3", ", protect: true"), ollama("b", "llama3")).desired?.models).toHaveLength(2);
  });
});
