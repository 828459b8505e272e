import { describe, expect, it } from "vitest";
import { documents, manifest, model, toldOf } from "./samples.ts";

const ollama = "source: {ollama: {model: qwen3:8b}}";
const hub = (fields: string, index = 0): string => model(`m${index}`, `{source: {huggingface: {${fields}}}}`);

describe("what a person reads when a manifest has the wrong shape", () => {
  it("wrong types: numbers where text is expected are explained as YAML reads them", () => {
    expect(
      toldOf(
        model(
          "m",
          "{source: {ollama: {model: 010}}, license: 1.0, displayName: true, aliases: [0x1F, 1e3], launch: {args: [--port, 80], env: {A: 1}}}",
        ),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:33 error[schema.type] spec.source.ollama.model must be text, but YAML reads 010 as the number 10 -> write "010", in quotes
      manifests/a.yaml:5:49 error[schema.type] spec.license must be text, but YAML reads 1.0 as the number 1 -> write "1.0", in quotes
      manifests/a.yaml:5:67 error[schema.type] spec.displayName must be text, but YAML reads true as the truth value true -> write "true", in quotes
      manifests/a.yaml:5:83 error[schema.type] spec.aliases[0] must be text, but YAML reads 0x1F as the number 31 -> write "0x1F", in quotes
      manifests/a.yaml:5:89 error[schema.type] spec.aliases[1] must be text, but YAML reads 1e3 as the number 1000 -> write "1e3", in quotes
      manifests/a.yaml:5:119 error[schema.type] spec.launch.args[1] must be text, but YAML reads 80 as the number 80 -> write "80", in quotes
      manifests/a.yaml:5:133 error[schema.type] spec.launch.env.A must be text, but YAML reads 1 as the number 1 -> write "1", in quotes"
    `);
    expect(toldOf(model("12345678901234567890123456789012345678901234567890123456789012345"))).toMatchInlineSnapshot(`
      "manifests/a.yaml:4:9 error[schema.type] metadata.name must be text, but YAML reads 12345678901234567890123456789012345678901234567890123456789012345 as the number 1.2345678901234568e+64 -> write "12345678901234567890123456789012345678901234567890123456789012345", in quotes
      manifests/a.yaml:5:33 error[schema.type] spec.source.ollama.model must be text, but YAML reads 12345678901234567890123456789012345678901234567890123456789012345 as the number 1.2345678901234568e+64 -> write "12345678901234567890123456789012345678901234567890123456789012345", in quotes"
    `);
  });

  it("wrong types: lists, truth values, mappings and nothing", () => {
    expect(toldOf(model("m", `{${ollama}, roles: chat, protect: yes, testing: 1, launch: [a], lock: true, license: , metadata: x}`)))
      .toMatchInlineSnapshot(`
      "manifests/a.yaml:5:52 error[schema.type] spec.roles must be a list, not the text "chat" -> write [chat]
      manifests/a.yaml:5:67 error[schema.type] spec.protect must be true or false, not the text "yes" -> YAML knows only true and false; yes, no, on and off are text
      manifests/a.yaml:5:81 error[schema.type] spec.testing must be true or false, not 1 -> YAML knows only true and false; yes, no, on and off are text
      manifests/a.yaml:5:92 error[schema.type] spec.launch must be a mapping, not a list -> for example {"args":["--max-model-len","8192"]}
      manifests/a.yaml:5:103 error[schema.type] spec.lock must be a mapping, not true -> for example {"required":true}
      manifests/a.yaml:5:109 error[schema.type] spec.license is empty; it must be text -> write a value, or remove the key
      manifests/a.yaml:5:130 error[schema.type] spec.metadata must be a mapping, not the text "x" -> for example {"ticket":"ML-142"}"
    `);
    expect(toldOf(manifest("Role", "r", '{minContext: "8192", requires: vision}'))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:20 error[schema.type] spec.minContext must be a whole number, not the text "8192" -> write 8192 without quotes
      manifests/a.yaml:5:38 error[schema.type] spec.requires must be a list, not the text "vision" -> write [vision]"
    `);
  });

  it("unknown keys, with the nearest that exists", () => {
    expect(
      toldOf(
        `apiVersion: holdfast.dev/v1\nkind: Model\nmetadata: {name: m, lables: {}}\nspec:\n  ${ollama}\n  served_model_id: x\n  licence: mit\n  digest: abc\nstatus: {}\n`,
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:3:21 error[schema.unknown-key] unknown key "lables" in metadata -> did you mean labels?
      manifests/a.yaml:6:3 error[schema.unknown-key] unknown key "served_model_id" in spec -> did you mean servedModelId?
      manifests/a.yaml:7:3 error[schema.unknown-key] unknown key "licence" in spec -> did you mean license?
      manifests/a.yaml:8:3 error[schema.unknown-key] unknown key "digest" in spec -> possible here: displayName, source, backend, servedModelId, launch, keepLoaded, roles, aliases, capabilities, license, lifecycle, protect, lock, testing, generationDefaults, metadata
      manifests/a.yaml:9:1 error[schema.unknown-key] unknown key "status" at the top -> possible here: apiVersion, kind, metadata, spec"
    `);
  });

  it("missing keys, with an example", () => {
    expect(toldOf("apiVersion: holdfast.dev/v1\nkind: Model\nmetadata: {}\n")).toMatchInlineSnapshot(`
      "manifests/a.yaml:1:1 error[schema.missing-key] spec is missing -> add spec
      manifests/a.yaml:3:11 error[schema.missing-key] metadata.name is missing -> add name"
    `);
    expect(toldOf("metadata: {name: m}\n")).toMatchInlineSnapshot(
      `"manifests/a.yaml:1:1 error[schema.missing-key] kind is missing -> add kind: with one of Model, Role, Backend, Policy"`,
    );
    expect(toldOf("- a\n")).toMatchInlineSnapshot(
      `"manifests/a.yaml:1:1 error[manifest.not-a-mapping] a manifest is a mapping with apiVersion, kind, metadata and spec -> start with apiVersion: holdfast.dev/v1"`,
    );
  });

  it("words that are not among the possible ones", () => {
    expect(
      toldOf(
        documents(
          manifest("Modle", "m", "{}"),
          manifest("Backend", "b", "{type: vLLM}"),
          model("m", `{${ollama}, lifecycle: {state: retired}}`),
          model("n").replace("v1", "v2"),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:2:7 error[manifest.kind] there is no kind "Modle" -> did you mean Model?
      manifests/a.yaml:11:14 error[schema.enum] spec.type is "vLLM"; it must be one of ollama, vllm, lmdeploy, gguf, openai -> did you mean vllm?
      manifests/a.yaml:17:64 error[schema.enum] spec.lifecycle.state is "retired"; it must be one of active, deprecated
      manifests/a.yaml:19:13 error[schema.const] apiVersion is "holdfast.dev/v2"; it must be "holdfast.dev/v1" -> write apiVersion: holdfast.dev/v1"
    `);
  });

  it("durations and ranges", () => {
    expect(toldOf(model("m", `{${ollama}, lifecycle: {state: deprecated, purgeAfter: 7 days}}`))).toMatchInlineSnapshot(
      `"manifests/a.yaml:5:88 error[schema.pattern] spec.lifecycle.purgeAfter is not well-formed: "7 days" -> A length of time: a whole number and one unit of ms, s, m, h, d or w. For example 30s."`,
    );
    expect(
      toldOf(
        documents(
          manifest("Backend", "b", "{type: vllm, port: 99999, activation: {startTimeout: 400d, maxAttempts: 0}}"),
          manifest("Backend", "c", "{type: vllm, activation: {startTimeout: 400d}}"),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:26 error[schema.range] spec.port must be at most 65535 -> TCP port; 11434 for ollama, 24001 for vllm and lmdeploy, 8080 for gguf when left out. For example 24001.
      manifests/a.yaml:5:79 error[schema.range] spec.activation.maxAttempts must be at least 1 -> Starts to try before giving up.
      manifests/a.yaml:11:47 error[duration.too-long] 400d is longer than the 24 days that can be waited for -> write a shorter time"
    `);
  });

  it("a source that is two sources, or none", () => {
    expect(toldOf(model("m", "{source: {ollama: {model: a}, huggingface: {repo: b/c}}}"))).toMatchInlineSnapshot(
      `"manifests/a.yaml:5:37 error[source.several] spec.source is 2 sources at once: ollama, huggingface -> keep one; write a second manifest for the other"`,
    );
    expect(toldOf(model("m", "{source: {}}"))).toMatchInlineSnapshot(
      `"manifests/a.yaml:5:16 error[source.none] spec.source names no source; exactly one of ollama, huggingface, path, remote is needed -> for example {"ollama":{"model":"qwen3:8b"}}"`,
    );
    expect(toldOf(model("m", "{source: {huggingfase: {repo: b/c}}}"))).toMatchInlineSnapshot(
      `"manifests/a.yaml:5:17 error[schema.unknown-key] unknown key "huggingfase" in spec.source -> did you mean huggingface?"`,
    );
  });

  it("SEC-17 names and ids that programs would take for something else", () => {
    const names = ["-rf", "/etc", "a/../b", "a//b", "a/", "'a b'", '"a\\u202eb"', "a\\b", "model-ollama-gguf-q4", `'${"x".repeat(254)}'`];
    expect(toldOf(...names.map((name) => model(name, `{${ollama}}`)))).toMatchInlineSnapshot(`
      "manifests/a.yaml:4:9 error[schema.pattern] metadata.name "-rf" starts with -, so programs would take it for an option -> for example qwen3-8b
      manifests/b.yaml:4:9 error[schema.pattern] metadata.name "/etc" has an empty part before, between or after / -> for example qwen3-8b
      manifests/c.yaml:4:9 error[schema.pattern] metadata.name "a/../b" has the part . or .. -> for example qwen3-8b
      manifests/d.yaml:4:9 error[schema.pattern] metadata.name "a//b" has an empty part before, between or after / -> for example qwen3-8b
      manifests/e.yaml:4:9 error[schema.pattern] metadata.name "a/" has an empty part before, between or after / -> for example qwen3-8b
      manifests/f.yaml:4:9 error[schema.pattern] metadata.name "a b" has white space or an invisible character -> for example qwen3-8b
      manifests/g.yaml:4:9 error[schema.pattern] metadata.name "a\\u{202e}b" has white space or an invisible character -> for example qwen3-8b
      manifests/h.yaml:4:9 error[schema.pattern] metadata.name "a\\\\b" has a backslash -> for example qwen3-8b
      manifests/i.yaml:4:9 error[schema.pattern] metadata.name "model-ollama-gguf-q4" starts with model-ollama-gguf, the placeholder of old registries -> for example qwen3-8b
      manifests/j.yaml:4:9 error[schema.range] metadata.name is longer than 253 characters -> A name: 1 to 253 characters without white space, backslash or control character. It does not start with \`-\` or \`/\`, has no \`.\`, \`..\` or empty segment, and does not start with \`model-ollama-gguf\`. For example qwen3-8b."
    `);
    expect(toldOf(model("m", `{${ollama}, servedModelId: --config, backend: -x, launch: {env: {A-B: x}}}`))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:60 error[schema.pattern] spec.servedModelId is not well-formed: "--config" -> An id as a server knows it: no white space, no control character, not starting with \`-\`. For example qwen3:8b.
      manifests/a.yaml:5:79 error[schema.pattern] spec.backend "-x" starts with -, so programs would take it for an option -> for example qwen3-8b
      manifests/a.yaml:5:98 error[schema.pattern] spec.launch.env.A-B is not well-formed: "A-B" -> The name of a variable has letters, digits and \`_\` and does not start with a digit."
    `);
  });

  it("S0.11 S3.20 takes the names of existing registries, but never the old placeholder", () => {
    for (const name of ["gpt-oss-abliterated_20b_(F16)", "llava-7b-ollama-gguf", "chat/default", "Llama3.1", "UPPER_lower", "a:b", "模型"])
      expect(toldOf(model(name, `{${ollama}}`)), name).toBe("");
    expect(toldOf(model("model-ollama-gguf", `{${ollama}}`))).toContain("the placeholder of old registries");
  });

  it("roles as a name or as a mapping, each told in its own terms", () => {
    expect(toldOf(model("m", `{${ollama}, roles: [5, {rle: x}, [a], {role: r, priority: high}, ""]}`))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:53 error[schema.type] spec.roles[0] must be text, but YAML reads 5 as the number 5 -> write "5", in quotes
      manifests/a.yaml:5:56 error[schema.missing-key] spec.roles[1].role is missing -> add role: caption
      manifests/a.yaml:5:57 error[schema.unknown-key] unknown key "rle" in spec.roles[1] -> did you mean role?
      manifests/a.yaml:5:91 error[schema.type] spec.roles[3].priority must be a whole number, not the text "high" -> for example 90
      manifests/a.yaml:5:98 error[schema.pattern] spec.roles[4] "" is empty -> for example qwen3-8b"
    `);
    expect(toldOf(model("m", `{${ollama}, roles: [chat, {role: chat, priority: 1}]}`))).toMatchInlineSnapshot(
      `"manifests/a.yaml:5:59 error[model.role-twice] the role "chat" is claimed twice -> keep the one with the priority you want"`,
    );
  });
});

describe("what a person reads when the content makes no sense", () => {
  it("Ollama names: digests, cloud and local tags, too many parts", () => {
    const named = (name: string, index = 0): string => model(`m${index}`, `{source: {ollama: {model: "${name}"}}}`);
    for (const name of ["localhost:5000/ns/m:tag", "hf.co/org/repo:Q4_K_M"]) expect(toldOf(named(name)), name).toBe("");
    const bad = ["qwen3:local", "gpt-oss:120b-cloud", "x:CLOUD", "ghcr.io/org/team/model", "a.b/c", "qwen3@sha256:0123", "qwen3:", ":8b"];
    expect(toldOf(...bad.map(named))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:33 error[source.ollama-name] "qwen3:local" is not a name that Ollama takes: the tag "local" is reserved by Ollama -> use another tag; cloud models have no local bytes: declare them with source \`remote\`
      manifests/b.yaml:5:33 error[source.ollama-name] "gpt-oss:120b-cloud" is not a name that Ollama takes: the tag "120b-cloud" is reserved by Ollama -> use another tag; cloud models have no local bytes: declare them with source \`remote\`
      manifests/c.yaml:5:33 error[source.ollama-name] "x:CLOUD" is not a name that Ollama takes: the tag "CLOUD" is reserved by Ollama -> use another tag; cloud models have no local bytes: declare them with source \`remote\`
      manifests/d.yaml:5:33 error[source.ollama-name] "ghcr.io/org/team/model" is not a name that Ollama takes: the host part "ghcr.io/org" is not valid -> write [host[:port]/][namespace/]model[:tag]
      manifests/e.yaml:5:33 error[source.ollama-name] "a.b/c" is not a name that Ollama takes: the namespace part "a.b" is not valid -> write [host[:port]/][namespace/]model[:tag]
      manifests/f.yaml:5:33 error[source.ollama-name] "qwen3@sha256:0123" is not a name that Ollama takes: Ollama cannot address a model by digest -> write the tag here and lock the model: \`holdfast lock NAME\` pins the digest
      manifests/g.yaml:5:33 error[source.ollama-name] "qwen3:" is not a name that Ollama takes: the tag part "" is not valid -> write [host[:port]/][namespace/]model[:tag]
      manifests/h.yaml:5:33 error[source.ollama-name] ":8b" is not a name that Ollama takes: the model part "" is not valid -> write [host[:port]/][namespace/]model[:tag]"
    `);
  });

  it("Hub repositories and revisions", () => {
    expect(
      toldOf(
        ...['"https://huggingface.co/Qwen/Qwen3-8B/tree/main"', "a/b/c", "a/b--c", "../x", "a/b.git"].map((repo, index) =>
          hub(`repo: ${repo}`, index),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:37 error[source.hub-repo] "https://huggingface.co/Qwen/Qwen3-8B/tree/main" is not a repository of the Hub -> write Qwen/Qwen3-8B
      manifests/b.yaml:5:37 error[source.hub-repo] "a/b/c" is not a repository of the Hub -> write org/name as the Hub shows it: letters, digits, -, _ and . only
      manifests/c.yaml:5:37 error[source.hub-repo] "a/b--c" is not a repository of the Hub -> write org/name as the Hub shows it: letters, digits, -, _ and . only
      manifests/d.yaml:5:37 error[source.hub-repo] "../x" is not a repository of the Hub -> write org/name as the Hub shows it: letters, digits, -, _ and . only
      manifests/e.yaml:5:37 error[source.hub-repo] "a/b.git" is not a repository of the Hub -> write org/name as the Hub shows it: letters, digits, -, _ and . only"
    `);
    expect(
      toldOf(
        ...["--upload", "a..b", "refs/../x", "'a b'", "main~1", "/main", "9c1d33e"].map((revision, index) =>
          hub(`repo: a/b, revision: ${revision}`, index),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:52 error[source.hub-revision] the revision "--upload" starts with - -> write a branch, a tag or the 40 digits of a commit
      manifests/b.yaml:5:52 error[source.hub-revision] the revision "a..b" is not a name that Git allows -> write a branch, a tag or the 40 digits of a commit
      manifests/c.yaml:5:52 error[source.hub-revision] the revision "refs/../x" is not a name that Git allows -> write a branch, a tag or the 40 digits of a commit
      manifests/d.yaml:5:52 error[source.hub-revision] the revision "a b" has a character that Git does not allow in names -> write a branch, a tag or the 40 digits of a commit
      manifests/e.yaml:5:52 error[source.hub-revision] the revision "main~1" has a character that Git does not allow in names -> write a branch, a tag or the 40 digits of a commit
      manifests/f.yaml:5:52 error[source.hub-revision] the revision "/main" is absolute -> write a branch, a tag or the 40 digits of a commit
      manifests/g.yaml:5:52 warning[source.short-commit] the revision "9c1d33e" looks like a shortened commit, which the Hub does not resolve -> write all 40 digits"
    `);
    expect(toldOf(hub("repo: a/b, revision: refs/pr/1"), hub("repo: a/b, revision: v1.0, layout: dir", 1))).toBe("");
  });

  it("folders that must not be owned, and other people's homes", () => {
    const dirs = ["/", "'~'", ".", "..", "/home", "~bob/models", "~"];
    expect(toldOf(...dirs.map((dir, index) => hub(`repo: a/b, layout: dir, dir: ${dir}`, index)))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:60 error[path.dangerous] "/" is the root of the file system -> use a folder of its own for each model
      manifests/b.yaml:5:16 error[source.nested-dir] the folder lies inside that of model "m4" (manifests/e.yaml:4) -> put the two side by side
      manifests/b.yaml:5:60 error[path.dangerous] "~" is the home folder or around it -> use a folder of its own for each model
      manifests/c.yaml:5:16 error[source.nested-dir] the folder lies inside that of model "m3" (manifests/d.yaml:4) -> put the two side by side
      manifests/c.yaml:5:60 error[path.dangerous] "." is the project folder or around it -> use a folder of its own for each model
      manifests/d.yaml:5:16 error[source.nested-dir] the folder lies inside that of model "m0" (manifests/a.yaml:4) -> put the two side by side
      manifests/d.yaml:5:60 error[path.dangerous] ".." is the project folder or around it -> use a folder of its own for each model
      manifests/e.yaml:5:16 error[source.nested-dir] the folder lies inside that of model "m0" (manifests/a.yaml:4) -> put the two side by side
      manifests/e.yaml:5:60 error[path.dangerous] "/home" is the home folder or around it -> use a folder of its own for each model
      manifests/f.yaml:5:60 error[path.unknown-home] "~bob/models" names another person's home folder -> write the absolute path
      manifests/g.yaml:5:60 error[schema.type] spec.source.huggingface.dir is empty; it must be text -> YAML reads a bare ~ as nothing: write "~", in quotes"
    `);
    expect(toldOf(hub("repo: a/b, dir: /srv/x"), model("n", "{source: {path: {dir: $HOME/models}}}"))).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:42 error[source.dir-with-cache] dir has no meaning with layout cache -> add layout: dir, or remove dir
      manifests/b.yaml:5:29 error[schema.pattern] spec.source.path.dir is not well-formed: "$HOME/models" -> A folder; \`~\` is the home folder, a relative path starts at the project root. For example ~/models/qwen3-8b."
    `);
  });

  it("backends: addresses, credentials, a store or an active model where there is none", () => {
    const specs = [
      "{type: ollama, url: 'localhost:11434'}",
      "{type: ollama, url: 'http://ann:secret@host:1'}",
      "{type: vllm, url: 'http://a:1', port: 1}",
      "{type: openai}",
      "{type: vllm, store: /x}",
      "{type: ollama, active: m}",
      "{type: ollama, url: 'file:///etc'}",
      "{type: vllm, url: 'https://far/proxy', active: none}",
    ];
    const text = toldOf(...specs.map((spec, index) => manifest("Backend", `b${index}`, spec)));
    expect(text).toMatchInlineSnapshot(`
      "manifests/a.yaml:5:27 error[backend.url] "localhost:11434" is not an http or https URL -> write http:// or https://, the host and the port, for example http://localhost:11434
      manifests/b.yaml:5:27 error[backend.url] "http://***@host:1" holds credentials -> write http:// or https://, the host and the port, for example http://localhost:11434
      manifests/c.yaml:5:39 error[backend.url-twice] url already says host and port -> keep either url, or host and port
      manifests/d.yaml:5:7 error[backend.no-url] nothing says where the service is -> add url: https://...
      manifests/e.yaml:5:20 error[backend.store] a backend of type vllm has no store -> remove store
      manifests/f.yaml:5:22 error[backend.active-not-single] a backend of type ollama serves many models; active is for those that serve one -> remove active
      manifests/f.yaml:5:30 error[backend.active-unknown] no Model is called "m"
      manifests/g.yaml:5:27 error[backend.url] "file:///etc" is not an http or https URL -> write http:// or https://, the host and the port, for example http://localhost:11434
      manifests/h.yaml:5:46 error[backend.active-endpoint] the server cannot be started here: https://far/proxy is not plain HTTP, which is what the engine speaks -> write host and port instead of url, or remove active"
    `);
    expect(text).not.toContain("secret");
  });

  it("things that have no effect are warnings, not errors", () => {
    expect(toldOf(model("m", `{${ollama}, lifecycle: {purgeAfter: 1d}}`))).toMatchInlineSnapshot(
      `"manifests/a.yaml:5:56 warning[model.lifecycle-idle] replacedBy and purgeAfter have no effect while the state is active -> add state: deprecated"`,
    );
    expect(toldOf(model("none", `{${ollama}}`), model("r", "{source: {remote: {}}, lock: {required: true}}"))).toMatchInlineSnapshot(`
      "manifests/a.yaml:4:9 error[model.reserved-name] a model cannot be called none: Backend.active uses the word for no model -> choose another name
      manifests/b.yaml:5:7 warning[model.remote-without-backend] nothing says where the remote model is served -> add backend: with the name of a Backend
      manifests/b.yaml:5:47 error[model.lock-remote] a remote model has no bytes here that could be locked -> remove lock.required"
    `);
  });
});
