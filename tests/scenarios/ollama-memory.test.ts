import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startFakeOllama, type FakeOllama } from "../fakes/ollama-server.ts";
import { startFakeRegistry, type FakeRegistry } from "../fakes/ollama-registry.ts";
import { makeSample } from "../fakes/ollama-samples.ts";
import { backendManifest, createProject, modelManifest, type Project } from "./harness.ts";

interface Machine {
  readonly project: Project;
  readonly ollama: FakeOllama;
  readonly registry: FakeRegistry;
  readonly ref: string;
  declare(...more: readonly object[]): Promise<void>;
  publish(seed: number): string;
}

async function machine(): Promise<Machine> {
  const project = await createProject();
  const store = join(project.home, "ollama");
  const [ollama, registry] = await Promise.all([startFakeOllama(store), startFakeRegistry()]);
  onTestFinished(async () => {
    await ollama.close();
    await registry.close();
  });
  const publish = (seed: number): string => {
    const sample = makeSample({ name: "lab/alpha:1b", seed });
    registry.publish(sample);
    return sample.digest;
  };
  registry.publish(makeSample({ name: "lab/other:1b", seed: 99 }));
  await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", url: ollama.url, store, insecureRegistry: true }));
  const model = (name: string, more: object): string => modelManifest(name, { ollama: { model: `${registry.host}/lab/${name}:1b` } }, more);
  return {
    project,
    ollama,
    registry,
    ref: `${registry.host}/lab/alpha:1b`,
    publish,
    declare: (...more) => project.write("manifests/models.yaml", [...more.map((each) => model("alpha", each)), model("other", {})].join("")),
  };
}

interface StatusAnswer {
  readonly models: readonly { readonly name: string; readonly state: string; readonly stale?: boolean; readonly expiresAt?: string }[];
}

describe("what Ollama has in memory", () => {
  it("S2.45 S2.46 S2.48 S2.51 S2.53 S2.69 is what the manifests ask for: loaded in advance, replaced with its content, unloaded when nobody asks any more", async () => {
    const { project, ollama, ref, publish, declare } = await machine();
    const alpha = async (): Promise<StatusAnswer["models"][number] | undefined> => {
      const answer: StatusAnswer = JSON.parse((await project.run("status", "-o", "json")).stdout);
      return answer.models.find((model) => model.name === "alpha");
    };
    publish(1);
    await declare({ keepLoaded: "30m" });
    expect(await alpha()).toMatchObject({ state: "not-present" });
    expect((await project.expect(2, "plan", "--detailed-exitcode")).stdout).toContain("load keep in memory (30m)");
    await project.expect(0, "reconcile");
    expect(ollama.loaded()).toEqual([ref]);
    expect(await alpha()).toMatchObject({ state: "loaded", sizeVram: 1024, contextLength: 4096, stale: false, capabilities: ["text", "tools"] });
    await project.expect(0, "plan", "--detailed-exitcode");

    await declare({ keepLoaded: true });
    expect((await project.expect(2, "drift")).stdout).toContain("-> load");
    await project.expect(0, "reconcile");
    expect((await alpha())?.expiresAt).toMatch(/^2319/);
    expect((await project.expect(0, "status")).stdout).toContain("loaded, 1.0 kB VRAM, for ever");

    await project.expect(0, "lock");
    const second = publish(2);
    await project.expect(0, "lock", "alpha", "--update");
    await project.expect(0, "reconcile");
    expect(await alpha()).toMatchObject({ state: "loaded", applied: second, stale: false });
    await project.expect(0, "plan", "--detailed-exitcode");

    await declare({});
    expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: 1 to unload.");
    expect(ollama.loaded()).toEqual([]);
    expect(await alpha()).toMatchObject({ state: "available" });
    await project.expect(0, "plan", "--detailed-exitcode");
  });

  it("a stale runner is drift, goes with the next pass although its weights are gone, and leaves no trace", async () => {
    const { project, ollama, registry, ref, publish, declare } = await machine();
    publish(1);
    await declare({ keepLoaded: true });
    await project.expect(0, "reconcile");
    publish(2);
    await fetch(`${ollama.url}/api/pull`, { method: "POST", body: JSON.stringify({ model: ref, insecure: true }) }).then((answer) => answer.text());
    const drift = await project.expect(2, "drift");
    expect(drift.stdout).toMatch(/STALE-RUNNER\s+model\/alpha[\s\S]*-> unload/);
    expect((await project.expect(0, "show", "alpha")).stdout).toContain("runs an older content");
    expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: 1 to load, 1 to unload.");
    expect(ollama.loaded()).toEqual([ref]);
    await project.expect(0, "drift");
    expect(await readdir(join(ollama.directory, "manifests"))).toEqual([registry.host]);
  });

  it("what somebody else loaded is left alone, and a model that left Git is unloaded before it is purged", async () => {
    const { project, ollama, registry, publish, declare } = await machine();
    publish(1);
    await declare({ keepLoaded: true });
    await project.expect(0, "reconcile");
    const other = `${registry.host}/lab/other:1b`;
    await ollama.load(other);
    await project.expect(0, "plan", "--detailed-exitcode");
    await declare();
    expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: 1 to unload, 1 to deprecate.");
    expect(ollama.loaded()).toEqual([other]);
    expect((await project.expect(0, "reconcile", "--set", "prune.grace=0s")).stdout).toContain("Plan: 1 to purge.");
  });

  it("a server that does not answer, or has no room, is said and never guessed", async () => {
    const { project, ollama, publish, declare } = await machine();
    publish(1);
    await declare({ keepLoaded: true });
    ollama.faults.failingLoad = true;
    const failed = await project.expect(26, "reconcile", "-o", "json");
    expect(JSON.parse(failed.stdout)).toMatchObject({
      models: [
        { name: "alpha", state: "error", during: "loading", reason: expect.stringContaining("more system memory") },
        { name: "other", state: "available" },
      ],
    });
    expect((await project.expect(0, "status")).stdout).toContain("the last pass failed while loading");
    ollama.faults.failingLoad = false;
    await project.expect(0, "reconcile");
    await ollama.crash();
    expect(JSON.parse((await project.expect(24, "reconcile", "-o", "json")).stdout)).toMatchObject({ plan: { actions: [] } });
    expect(JSON.parse((await project.expect(24, "status", "-o", "json")).stdout)).toMatchObject({
      models: [{ name: "alpha", state: "unknown" }, {}],
    });
  });
});
