import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { hubModel, noise } from "../fakes/hub-model.ts";
import { startFakeHub } from "../fakes/hub-server.ts";
import { installSample, makeSample } from "../fakes/ollama-samples.ts";
import { startFakeOllama } from "../fakes/ollama-server.ts";
import { backendManifest, createProject, modelManifest } from "./harness.ts";

describe("bad input at the command line", () => {
  it("all problems of all manifests are said at once, with file, line, column, pointer and remedy; exit 20", async () => {
    const project = await createProject();
    await project.write(
      "manifests/a.yaml",
      "apiVersion: holdfast.dev/v1\nkind: Model\nmetadata:\n  name: a\nspec:\n  sorce:\n    ollama: {model: x}\n",
    );
    await project.write(
      "manifests/b.yaml",
      modelManifest("b", { ollama: { model: "x:cloud" } }) + modelManifest("b", { ollama: { model: "y" }, path: { dir: "/x" } }),
    );
    await project.write("manifests/c.yaml", "a: &a [x]\nb: [*a, *a]\n__proto__: {}\n");
    const { stderr } = await project.expect(20, "plan");
    expect(stderr).toContain("manifests/a.yaml:6:3");
    expect(stderr).toContain("source");
    expect(stderr).toContain("reserved by Ollama");
    expect(stderr).toContain("manifests/c.yaml");
    const { stdout } = await project.expect(20, "validate", "-o", "json");
    const answer: { diagnostics: { severity: string; location?: { line: number } }[] } = JSON.parse(stdout);
    expect(answer.diagnostics.filter((finding) => finding.severity === "error").length).toBeGreaterThanOrEqual(4);
  });

  it("SEC-34 an emptied manifest folder deletes nothing and exits 21", async () => {
    const project = await createProject();
    const store = join(project.home, "ollama");
    await installSample(store, "registry.ollama.ai", makeSample({ name: "library/a:1b", seed: 1 }));
    await project.write("manifests/a.yaml", modelManifest("a", { ollama: { model: "a:1b" } }));
    await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", store }));
    await project.expect(0, "reconcile");
    await project.write("manifests/a.yaml", "");
    const pass = await project.expect(21, "reconcile", "--set", "prune.grace=0s");
    expect(pass.stdout).toContain("the manifests declare no model at all");
    await project.expect(0, "reconcile", "--allow-empty");
  });

  it("SEC-01 a hub that lists paths outside the model is refused; nothing is written outside, other models go on", async () => {
    const good = hubModel("org/good", { "config.json": "{}", "model.safetensors": noise("good", 5000) });
    const hub = await startFakeHub([good, hubModel("org/evil", { "config.json": "{}" })]);
    onTestFinished(() => hub.close());
    const project = await createProject({ HF_ENDPOINT: hub.endpoint });
    await project.write("manifests/good.yaml", modelManifest("good", { huggingface: { repo: "org/good", revision: "main" } }));
    await project.expect(0, "reconcile");
    for (const path of ["../../x", "/etc/x", "C:\\x", "a\u0000b"]) {
      hub.switches.extraEntries.splice(0, hub.switches.extraEntries.length, { type: "file", path, size: 1, oid: "0".repeat(40) });
      await project.write("manifests/evil.yaml", modelManifest("evil", { huggingface: { repo: "org/evil", revision: "main" } }));
      const { stdout, code } = await project.run("reconcile");
      expect(code).toBe(25);
      expect(stdout).toContain("model/evil");
    }
    hub.switches.extraEntries.length = 0;
    await project.expect(0, "verify", "good");
  });

  it("F09 wrong bytes of the right size never get a final name; exit 25; the right bytes succeed later", async () => {
    const hub = await startFakeHub([hubModel("org/m", { "config.json": "{}", "model.safetensors": noise("m", 50_000) })]);
    onTestFinished(() => hub.close());
    const project = await createProject({ HF_ENDPOINT: hub.endpoint });
    await project.write("manifests/m.yaml", modelManifest("m", { huggingface: { repo: "org/m", revision: "main" } }));
    hub.switches.wrongBytes.add("model.safetensors");
    const { stdout } = await project.expect(25, "reconcile");
    expect(stdout).toContain("1 failed");
    hub.switches.wrongBytes.clear();
    await project.expect(0, "reconcile");
    await project.expect(0, "drift", "--verify", "full");
  });

  it("a store with one unreadable manifest: that model is said, the others go on", async () => {
    const project = await createProject();
    const store = join(project.home, "ollama");
    for (const [seed, name] of ["a", "b"].entries())
      await installSample(store, "registry.ollama.ai", makeSample({ name: `library/${name}:1b`, seed }));
    await mkdir(join(store, "manifests", "registry.ollama.ai", "library", "torn"), { recursive: true });
    await writeFile(join(store, "manifests", "registry.ollama.ai", "library", "torn", "1b"), "{");
    await project.write("manifests/models.yaml", ["a", "b", "torn"].map((name) => modelManifest(name, { ollama: { model: `${name}:1b` } })).join(""));
    await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", store }));
    const report: { inSync: string[]; drifts: { object: string; class: string }[] } = JSON.parse(
      (await project.expect(2, "drift", "-o", "json")).stdout,
    );
    expect(report.inSync).toEqual(["a", "b"]);
    expect(report.drifts).toMatchObject([{ object: "model/torn", class: "corrupt" }]);
  });

  it("a server that answers half a list is unknown, not empty", async () => {
    const project = await createProject();
    const ollama = await startFakeOllama(join(project.home, "ollama"));
    onTestFinished(() => ollama.close());
    await installSample(join(project.home, "ollama"), "registry.ollama.ai", makeSample({ name: "library/a:1b", seed: 1 }));
    await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", url: ollama.url }));
    await project.write("manifests/a.yaml", modelManifest("a", { ollama: { model: "a:1b" } }));
    await project.expect(0, "reconcile");
    ollama.faults.halfBody = true;
    const pass = await project.expect(24, "reconcile", "-o", "json");
    expect(JSON.parse(pass.stdout)).toMatchObject({ plan: { actions: [] } });
  });

  it("F14 two passes at once: one works, the other exits 23 and names the holder", async () => {
    const hub = await startFakeHub([hubModel("org/m", { "model.safetensors": noise("m", 900_000) })]);
    onTestFinished(() => hub.close());
    hub.switches.slowMs.set("model.safetensors", 20);
    const project = await createProject({ HF_ENDPOINT: hub.endpoint });
    await project.write("manifests/m.yaml", modelManifest("m", { huggingface: { repo: "org/m", revision: "main" } }));
    const first = project.start("reconcile");
    const firstEnd = new Promise<number | null>((resolve) => first.on("close", resolve));
    while (hub.bytesSent("model.safetensors") === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const { stderr } = await project.expect(23, "reconcile");
    expect(stderr).toContain(String(first.pid));
    expect(await firstEnd).toBe(0);
  });

  it("wrong words on the command line exit 64 and suggest", async () => {
    const project = await createProject();
    await project.expect(64, "reconcil");
    await project.expect(64, "plan", "--detailed-exit");
    expect((await project.expect(64, "verify", "nothing")).stderr).toContain("no manifest declares a model");
  });
});
