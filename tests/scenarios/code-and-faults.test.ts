import { readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { hubModel, noise } from "../fakes/hub-model.ts";
import { startFakeHub } from "../fakes/hub-server.ts";
import { startFakeRegistry } from "../fakes/ollama-registry.ts";
import { installSample, makeSample } from "../fakes/ollama-samples.ts";
import { startFakeOllama } from "../fakes/ollama-server.ts";
import { backendManifest, createProject, modelManifest, type Project } from "./harness.ts";

async function filesBelow(root: string): Promise<readonly string[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}

describe("what a model may bring", () => {
  async function started(env: Readonly<Record<string, string>> = {}): Promise<{ readonly project: Project; readonly root: string }> {
    const project = await createProject(env);
    const root = join(project.root, "new");
    await project.expect(0, "init", "new");
    return { project, root };
  }

  it("SEC-31 a new project denies Python code, pickles and remote code before a byte is fetched, and says which rule and why", async () => {
    const code = hubModel("org/code", { "config.json": '{"auto_map":{}}', "modeling_x.py": "import os", "model.safetensors": noise("m", 5000) });
    const pickled = hubModel("org/pickled", { "config.json": "{}", "pytorch_model.bin": noise("p", 5000) });
    const clean = hubModel("org/clean", { "config.json": "{}", "model.safetensors": noise("c", 5000) });
    const hub = await startFakeHub([code, pickled, clean]);
    onTestFinished(() => hub.close());
    const { project, root } = await started({ HF_ENDPOINT: hub.endpoint });
    const declare = (name: string, more: object = {}): string =>
      modelManifest(name, { huggingface: { repo: `org/${name}`, revision: "main" } }, more);
    await writeFile(
      join(root, "manifests", "m.yaml"),
      declare("code") +
        declare("pickled") +
        declare("clean", { backend: "gpu", launch: { args: ["--trust_remote_code"] } }) +
        backendManifest("gpu", { type: "vllm", url: "http://127.0.0.1:9" }),
    );
    const plan = await project.expect(21, "-C", root, "plan");
    expect(plan.stdout).toContain("the repository brings Python code");
    expect(plan.stdout).toContain("pickle files");
    expect(plan.stdout).toContain("--trust-remote-code runs code from the model repository");
    await project.expect(21, "-C", root, "reconcile");
    expect(hub.sent()).toEqual([]);
    expect(await filesBelow(join(project.home, "hub"))).toEqual([]);
  });

  it("SEC-31 passes without them", async () => {
    const hub = await startFakeHub([hubModel("org/clean", { "config.json": "{}", "model.safetensors": noise("c", 5000) })]);
    onTestFinished(() => hub.close());
    const { project, root } = await started({ HF_ENDPOINT: hub.endpoint });
    await writeFile(join(root, "manifests", "m.yaml"), modelManifest("clean", { huggingface: { repo: "org/clean", revision: "main" } }));
    await project.expect(0, "-C", root, "reconcile");
    await project.expect(0, "-C", root, "validate");
  });

  it("SEC-07 a hub that states no digest for a file gets nothing of that model fetched", async () => {
    const hub = await startFakeHub([hubModel("org/m", { "config.json": "{}", "model.safetensors": noise("m", 5000) })]);
    onTestFinished(() => hub.close());
    const project = await createProject({ HF_ENDPOINT: hub.endpoint });
    await project.write("manifests/m.yaml", modelManifest("m", { huggingface: { repo: "org/m", revision: "main" } }));
    for (const undigested of [{ size: 3 }, { size: 3, oid: "" }, { size: 3, oid: "0".repeat(40), lfs: { size: 3 } }]) {
      hub.switches.extraEntries.splice(0, hub.switches.extraEntries.length, { type: "file", path: "extra.safetensors", ...undigested });
      const { code, stdout } = await project.run("reconcile");
      expect([24, 25]).toContain(code);
      expect(stdout).toContain("model/m");
      expect(await filesBelow(join(project.home, "hub"))).toEqual([]);
    }
    hub.switches.extraEntries.length = 0;
    await project.expect(0, "reconcile");
  });
});

describe("faults in the middle of things", () => {
  it("F13 a tag that somebody moved between plan and apply stops its own action alone, and is planned again", async () => {
    const project = await createProject();
    const store = join(project.home, "ollama");
    const [ollama, registry] = await Promise.all([startFakeOllama(store), startFakeRegistry()]);
    onTestFinished(() => Promise.all([ollama.close(), registry.close()]).then(() => undefined));
    for (const [seed, name] of ["alpha", "beta"].entries()) registry.publish(makeSample({ name: `lab/${name}:1b`, seed, size: 10_000 }));
    await installSample(store, "registry.ollama.ai", makeSample({ name: "library/other:1b", seed: 9 }));
    await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", url: ollama.url, store, insecureRegistry: true }));
    const names = ["alpha", "beta"].map((name) => modelManifest(name, { ollama: { model: `${registry.host}/lab/${name}:1b` } }));
    await project.write("manifests/models.yaml", names.join(""));
    await project.expect(0, "plan", "--out", "plan.json");
    const copied = await fetch(`${ollama.url}/api/copy`, {
      method: "POST",
      body: JSON.stringify({ source: "other:1b", destination: `${registry.host}/lab/alpha:1b` }),
    });
    expect(copied.status).toBe(200);
    const { stdout } = await project.expect(22, "apply", "plan.json", "-o", "json");
    const { outcomes }: { outcomes: { state: string; failure?: { code: string } }[] } = JSON.parse(stdout);
    expect(outcomes.map((outcome) => outcome.failure?.code ?? outcome.state)).toEqual(["precondition", "applied"]);
    expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: 1 to import.");
    await project.expect(0, "plan", "--detailed-exitcode");
  });

  it("F16 one manifest of many is broken: exit 20 with its place, nothing is applied, deprecated or purged, and mending it is enough", async () => {
    const hub = await startFakeHub(
      ["a", "b", "c"].map((name) => hubModel(`org/${name}`, { "config.json": "{}", "model.safetensors": noise(name, 3000) })),
    );
    onTestFinished(() => hub.close());
    const project = await createProject({ HF_ENDPOINT: hub.endpoint });
    const declare = (name: string): string => modelManifest(name, { huggingface: { repo: `org/${name}`, revision: "main" } });
    for (const name of ["a", "b"]) await project.write(`manifests/${name}.yaml`, declare(name));
    await project.expect(0, "reconcile");
    const before = await filesBelow(join(project.home, "hub"));
    await project.write("manifests/b.yaml", "apiVersion: holdfast.dev/v1\nkind: Model\nmetadata: {name: b}\nspec:\n  source: [\n");
    await project.write("manifests/c.yaml", declare("c"));
    for (let round = 0; round < 3; round++) {
      const { stderr } = await project.expect(20, "reconcile", "--set", "prune.grace=0s");
      expect(stderr).toMatch(/manifests\/b\.yaml:\d+:\d+/);
    }
    expect(await filesBelow(join(project.home, "hub"))).toEqual(before);
    await project.write("manifests/b.yaml", declare("b"));
    expect((await project.expect(0, "reconcile", "--set", "prune.grace=0s")).stdout).toContain("Plan: 1 to pull.");
    await project.expect(0, "plan", "--detailed-exitcode");
  });
});

describe("what this program is made of", () => {
  interface Locked {
    readonly resolved?: string;
    readonly integrity?: string;
    readonly dev?: boolean;
    readonly optional?: boolean;
    readonly link?: boolean;
    readonly hasInstallScript?: boolean;
  }
  const root = join(import.meta.dirname, "..", "..");
  const { packages }: { packages: Record<string, Locked> } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const locked = Object.entries(packages).filter(([path]) => path !== "");
  const runtime = locked.filter(([, item]) => item.dev !== true);

  it("SEC-35 is locked by hash without addresses, runs no script of a dependency it needs to run, and does not grow unseen", () => {
    expect(locked.length).toBeGreaterThan(50);
    expect(locked.filter(([, item]) => item.resolved !== undefined || item.integrity === undefined).map(([path]) => path)).toEqual([]);
    expect(runtime.filter(([, item]) => item.hasInstallScript === true).map(([path]) => path)).toEqual([]);
    const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(Object.keys(dependencies).length).toBeLessThanOrEqual(20);
    expect(Object.values(dependencies).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(runtime.filter(([, item]) => item.optional !== true).length).toBeLessThanOrEqual(80);
  });
});
