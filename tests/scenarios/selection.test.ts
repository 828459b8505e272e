import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { startChatServer, type ChatServer } from "../adapters/openai/chat-server.ts";
import { freePort } from "../app/activation/activation-world.ts";
import { installSample, makeSample } from "../fakes/ollama-samples.ts";
import { startFakeOllama } from "../fakes/ollama-server.ts";
import { backendManifest, createProject, modelManifest, type Project } from "./harness.ts";

interface Machine {
  readonly project: Project;
  readonly gpu: ChatServer;
}

const caption = `---\n${JSON.stringify({ apiVersion: "holdfast.dev/v1", kind: "Role", metadata: { name: "caption" }, spec: { prefer: ["seer"] } })}\n`;
const png = Buffer.from("\x89PNG\r\n\x1a\n0000", "latin1");

async function machine(env: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const project = await createProject(env);
  const gpu = await startChatServer("org/seer");
  onTestFinished(() => gpu.close());
  for (const name of ["seer", "reader"]) {
    await mkdir(join(project.home, "models", name), { recursive: true });
    await writeFile(join(project.home, "models", name, "notes.txt"), name);
  }
  const model = (name: string, more: object): string =>
    modelManifest(name, { path: { dir: join(project.home, "models", name) } }, { backend: "gpu", ...more });
  await project.write(
    "manifests/backends.yaml",
    backendManifest("gpu", { type: "vllm", url: gpu.url }) +
      backendManifest("idle", { type: "lmdeploy", url: `http://127.0.0.1:${await freePort()}` }),
  );
  await project.write(
    "manifests/models.yaml",
    model("seer", {
      servedModelId: "org/seer",
      aliases: ["eyes/default"],
      roles: [{ role: "caption", priority: 1 }, "keywords", "description"],
      capabilities: { vision: true },
    }) +
      model("reader", { roles: [{ role: "caption", priority: 9 }], capabilities: { vision: false } }) +
      model("hidden", { testing: true }).replace(/models\/hidden/, "models/reader"),
  );
  await project.write("manifests/roles.yaml", caption);
  return { project, gpu };
}

describe("selection at the command line", () => {
  it("S1.31 S1.50 S2.9 prints endpoint, backend, id and capabilities of a name, an alias or a role", async () => {
    const { project, gpu } = await machine();
    const answer = await project.expect(0, "select", "eyes/default", "-o", "json");
    expect(JSON.parse(answer.stdout)).toMatchObject({
      kind: "Selection",
      endpoint: `${gpu.url}/v1`,
      backend: "vllm",
      internal_model_id: "org/seer",
      name: "seer",
      found_by: "alias",
      capabilities: { text: true, vision: true },
      provenance: { vision: "manifest" },
    });
    expect(JSON.parse((await project.expect(0, "select", "caption", "-o", "json")).stdout)).toMatchObject({
      name: "seer",
      found_by: "role",
      role: "caption",
    });
    expect((await project.expect(0, "select", "seer")).stdout).toMatch(/endpoint +http:\/\/127\.0\.0\.1:\d+\/v1/);
  });

  it("S1.32 S1.65 S1.76 S1.78 each refusal has its own reason, remedy and exit code", async () => {
    const { project, gpu } = await machine();
    expect((await project.expect(1, "select", "nobody")).stderr).toContain('no model and no role is called "nobody"');
    expect((await project.expect(1, "select", "sere")).stderr).toContain("did you mean seer?");
    expect((await project.expect(1, "select", "hidden")).stderr).toContain("hidden is a test model");
    expect((await project.expect(1, "select", "reader", "--require-vision", "--no-check")).stderr).toContain(
      "capability error: reader cannot do vision",
    );
    expect((await project.expect(24, "select", "reader")).stderr).toMatch(/serves org\/seer, not reader\n.*activate-model reader/);
    await gpu.close();
    expect((await project.expect(24, "select", "seer", "-o", "json")).stdout).toContain('"kind": "unreachable"');
    expect((await project.expect(0, "select", "seer", "--no-check")).stdout).toContain("org/seer");
  });

  it("S1.65 IMAGEWORKS_INCLUDE_TEST_MODELS lets test models in, and IMAGEWORKS_DEPLOYMENT_PROFILE names the profile S1.7", async () => {
    const { project } = await machine({ IMAGEWORKS_INCLUDE_TEST_MODELS: "1", IMAGEWORKS_DEPLOYMENT_PROFILE: "development" });
    expect((await project.expect(0, "select", "hidden", "--no-check")).stdout).toContain("hidden");
    await project.write(
      "manifests/big.yaml",
      modelManifest("big", { remote: {} }, { backend: "gpu", metadata: { vram_estimate_mb: 60000 } }).replace(
        '"remote": {}',
        `"path": { "dir": "${join(project.home, "models", "seer")}" }`,
      ),
    );
    expect((await project.expect(1, "select", "big", "--no-check")).stderr).toContain(
      "the profile development (IMAGEWORKS_DEPLOYMENT_PROFILE) allows 10000",
    );
    await project.expect(0, "select", "big", "--no-check", "--profile", "none");
    await project.expect(64, "select", "big", "--no-check", "--profile", "enormous");
  });

  it("explains every candidate and why it lost", async () => {
    const { project } = await machine();
    const { stdout } = await project.expect(0, "select", "caption", "--explain");
    expect(stdout).toMatch(/seer +chosen +the only one that qualifies/);
    expect(stdout).toMatch(/reader +excluded +capability error: reader cannot do vision/);
  });

  it("S3.5 S3.6 S3.9 S3.14 S3.81 resolves roles, the default ones unless others are named, and logs one line with every mapping", async () => {
    const { project } = await machine();
    const { stdout, stderr } = await project.expect(0, "resolve", "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "Resolution",
      roles: { caption: { name: "seer" }, keywords: { name: "seer" }, description: { internal_model_id: "org/seer" } },
    });
    const line = stderr.split("\n").find((text) => text.startsWith("{")) ?? "{}";
    expect(JSON.parse(line)).toMatchObject({
      event_type: "role_resolution",
      roles: { caption: "seer", keywords: "seer", description: "seer" },
      caption_model: "seer",
    });
    const failed = await project.expect(1, "resolve", "--role", "caption", "--role", "poems", "--prefer", "reader");
    expect(failed.stdout).toMatch(/caption +seer/);
    expect(failed.stderr).toContain("failed to resolve role 'poems': no model has the role");
    expect(failed.stderr).toContain("caption: not reader, which was preferred: capability error");
  });

  it("S1.85 writes the resolution into the log folder when there is one", async () => {
    const { project } = await machine();
    const { stderr } = await project.expect(0, "resolve", "--role", "caption", "--set", "logDir=logs");
    expect(stderr).not.toContain("role_resolution");
    expect(JSON.parse(await project.read("logs/model_loader.log"))).toMatchObject({ event_type: "role_resolution", roles: { caption: "seer" } });
  });

  it("S2.6 S2.70 S2.71 S2.72 recommends by role or purpose, and none is no error", async () => {
    const { project } = await machine();
    expect((await project.expect(0, "recommend", "caption", "-o", "name")).stdout).toBe("seer\n");
    expect((await project.expect(0, "recommend", "vision", "-o", "name")).stdout).toBe("seer\n");
    expect((await project.expect(0, "recommend", "general", "-o", "name")).stdout).toBe("reader\n");
    expect((await project.expect(0, "recommend", "coding")).stdout).toMatch(/^none /);
    await project.expect(0, "probe-text", "seer");
    expect((await project.expect(0, "recommend", "general")).stdout).toMatch(/^seer +\(used last at /);
  });

  it("S1.73 S3.15 S3.82 S3.83 another model takes a role by an edit of the manifests alone", async () => {
    const { project } = await machine();
    const text = await project.read("manifests/models.yaml");
    await project.write("manifests/models.yaml", text.replace('"vision": false', '"vision": true'));
    await project.write("manifests/roles.yaml", caption.replace("seer", "reader"));
    expect((await project.expect(0, "select", "caption", "--no-check", "-o", "json")).stdout).toContain('"name": "reader"');
  });

  it("S1.83 S3.7 S3.8 S3.91 any label may be asked for, and programs read model, endpoint and id of each from one answer", async () => {
    const { project, gpu } = await machine();
    const text = await project.read("manifests/models.yaml");
    await project.write("manifests/models.yaml", text.replace('"keywords"', '"keywords",\n"poems"'));
    const { stdout } = await project.expect(0, "resolve", "--role", "keywords", "--role", "description", "--role", "poems", "-o", "json");
    const answer = { name: "seer", endpoint: `${gpu.url}/v1`, internal_model_id: "org/seer", backend: "vllm" };
    expect(JSON.parse(stdout)).toMatchObject({ roles: { keywords: answer, description: answer, poems: { ...answer, role: "poems" } } });
  });

  it("S3.2 S3.82 S3.84 a role passes over a model whose files are not those of its lock", async () => {
    const { project } = await machine();
    const text = await project.read("manifests/models.yaml");
    await project.write("manifests/models.yaml", text.replace('"vision": false', '"vision": true').replace("models/reader", "models/second"));
    await mkdir(join(project.home, "models", "second"), { recursive: true });
    await writeFile(join(project.home, "models", "second", "notes.txt"), "second");
    await project.expect(0, "lock", "seer", "reader");
    expect((await project.expect(0, "select", "caption", "--no-check", "-o", "json")).stdout).toContain('"name": "seer"');
    await writeFile(join(project.home, "models", "seer", "notes.txt"), "another text");
    const { stdout } = await project.expect(0, "select", "caption", "--no-check", "-o", "json");
    expect(stdout).toContain('"name": "reader"');
    expect((await project.expect(1, "select", "seer", "--no-check")).stderr).toContain("seer is not what its lock says");
  });

  it("a broken contract is planned before anything is fetched, and is drift", async () => {
    const { project } = await machine();
    await project.write("manifests/roles.yaml", caption.replace("seer", "reader"));
    expect((await project.expect(0, "plan")).stdout).toContain("the role caption names reader, which cannot do vision");
    expect((await project.expect(2, "drift", "-o", "json")).stdout).toContain('"class": "role"');
  });
});

describe("selection of Ollama models", () => {
  it("S1.81 S2.3 S2.62 knows what the server has from its own listing, and tells absent from unreachable", async () => {
    const { project } = await machine();
    const store = join(project.home, "ollama");
    await installSample(store, "registry.ollama.ai", makeSample({ name: "lab/alpha:1b", seed: 1, size: 10_000 }));
    const ollama = await startFakeOllama(store);
    await project.write(
      "manifests/ollama.yaml",
      backendManifest("local", { type: "ollama", url: ollama.url }) +
        modelManifest("alpha", { ollama: { model: "lab/alpha:1b" } }, { roles: ["chat"] }) +
        modelManifest("beta", { ollama: { model: "lab/beta:1b" } }, { roles: [{ role: "chat", priority: 9 }] }),
    );
    expect(JSON.parse((await project.expect(0, "select", "LAB/alpha:1b", "-o", "json")).stdout)).toMatchObject({
      name: "alpha",
      backend: "ollama",
      endpoint: `${ollama.url}/v1`,
      found_by: "served-id",
    });
    const role = await project.expect(0, "select", "chat");
    expect(role.stdout).toMatch(/^alpha\n/);
    expect(role.stderr).toContain("passed over beta: beta is not on this machine");
    expect((await project.expect(1, "select", "beta")).stderr).toContain("holdfast reconcile fetches it");
    await ollama.close();
    expect((await project.expect(24, "select", "alpha")).stderr).toContain("ollama serve");
  });
});

describe("backends at the command line", () => {
  it("S1.12 S1.43 S1.44 S1.57 groups backends by provider and asks whether they answer", async () => {
    const { project, gpu } = await machine();
    const ollama = await startFakeOllama(join(project.home, "ollama"));
    onTestFinished(() => ollama.close());
    await project.write("manifests/ollama.yaml", backendManifest("local", { type: "ollama", url: ollama.url }));
    for (const flag of [["--json"], ["--json-output"], ["-o", "json"]]) {
      const { stdout } = await project.expect(0, "show-backends", ...flag);
      expect(JSON.parse(stdout)).toMatchObject({
        kind: "Backends",
        providers: {
          vllm: [{ name: "gpu", url: gpu.url, available: true, models: ["org/seer"] }],
          lmdeploy: [{ name: "idle", available: false, state: "down" }],
          ollama: [{ name: "local" }],
        },
      });
    }
    expect((await project.expect(0, "show-backends")).stdout).toMatch(/vllm\n.*BACKEND.*\ngpu +http.*available/);
  });

  it("S4.122 backends that hang cost one timeout together and hide no other", async () => {
    const { project } = await machine();
    const hanging = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(hanging, "listening");
    onTestFinished(() => void hanging.close());
    const address = hanging.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const names = ["h1", "h2", "h3", "h4", "h5"];
    await project.write(
      "manifests/hanging.yaml",
      names.map((name) => backendManifest(name, { type: "gguf", url: `http://127.0.0.1:${port}/${name}` })).join(""),
    );
    const { stdout } = await project.expect(0, "show-backends", "--json");
    const { providers }: { providers: Record<string, { state: string; available: boolean | null }[]> } = JSON.parse(stdout);
    expect(providers["gguf"]?.map((row) => [row.state, row.available])).toEqual(names.map(() => ["unknown", null]));
    expect(providers["vllm"]).toMatchObject([{ available: true }]);
  });
});

describe("probes at the command line", () => {
  it("S1.22 S1.40 S1.63 S3.32 probes vision with the prompts of the project, and keeps the result in the registry", async () => {
    const { project, gpu } = await machine();
    await writeFile(join(project.root, "photo.jpg"), png);
    await project.write("configs/vision_probe/prompts.json", JSON.stringify({ prompts: ["What is it?", { prompt: "Which colours?" }] }));
    const result = JSON.parse((await project.expect(0, "probe-vision", "seer", "photo.jpg", "-o", "json")).stdout);
    expect(result).toMatchObject({
      kind: "ProbeResult",
      model: "seer",
      vision_ok: true,
      status_code: 200,
      media_type: "image/png",
      excerpt: expect.stringContaining("ron."),
      results: [{ prompt: "What is it?" }, { prompt: "Which colours?" }],
    });
    expect(gpu.requests.map(({ body }) => body.model)).toEqual(["org/seer", "org/seer"]);
    const entries: { name: string; probes: object; performance: object }[] = JSON.parse(await project.read("configs/model_registry.json"));
    expect(entries.find(({ name }) => name === "seer")).toMatchObject({
      probes: { vision: { vision_ok: true, timestamp: result.timestamp, probe_version: "2" } },
      performance: { rolling_samples: 2, last_sample: { tokens_generated: 4 } },
    });
  });

  it("S1.64 sends it through a proxy under the model's own name", async () => {
    const { project, gpu } = await machine();
    const proxy = await startChatServer();
    onTestFinished(() => proxy.close());
    await project.expect(0, "probe-text", "seer", "--proxy", `${proxy.url}/v1`, "--prompt", "Hello");
    expect(gpu.requests).toEqual([]);
    expect(proxy.requests).toMatchObject([{ body: { model: "seer", messages: [{ content: "Hello" }] } }]);
  });

  it("S1.78 refuses a model that cannot see and a file that is no picture; a server that fails says nothing about the model", async () => {
    const { project, gpu } = await machine();
    await writeFile(join(project.root, "photo.png"), png);
    await project.write("text.png", "text");
    expect((await project.expect(1, "probe-vision", "reader", "photo.png", "--no-check")).stderr).toContain(
      "capability error: reader cannot do vision (source: manifest)",
    );
    expect((await project.expect(64, "probe-vision", "seer", "text.png")).stderr).toContain("no picture that is known");
    await project.expect(0, "probe-vision", "seer", "photo.png");
    gpu.mode = "refuse";
    expect((await project.expect(1, "probe-vision", "seer", "photo.png")).stdout).toContain("HTTP 503: the engine is dead");
    expect(await project.read("configs/model_registry.json")).toContain('"vision_ok": true');
  });

  it("S1.41 S1.42 S1.58 S1.74 S4.42 S4.46 metrics tells hash, lock and measured speed of all models or one", async () => {
    const { project } = await machine();
    const probed = await project.expect(0, "probe-text", "seer");
    expect(probed.stdout).toMatch(/ollama\.stream\.throughput +\d/);
    await project.expect(0, "probe-text", "seer");
    await project.expect(0, "lock");
    await project.expect(0, "reconcile");
    const all: object[] = JSON.parse((await project.expect(0, "metrics", "-o", "json")).stdout);
    expect(all).toHaveLength(3);
    const one = JSON.parse((await project.expect(0, "metrics", "--name", "seer", "-o", "json")).stdout);
    expect(one).toMatchObject({
      name: "seer",
      hash: expect.stringMatching(/^[0-9a-f]{12}$/),
      aggregate_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      locked: true,
      performance: { rolling_samples: 2 },
    });
    expect((await project.expect(1, "metrics", "--name", "sere")).stderr).toContain("did you mean seer?");
  });
});
