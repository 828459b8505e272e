import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startFakeOllama, type FakeOllama } from "../fakes/ollama-server.ts";
import { startFakeRegistry, type FakeRegistry } from "../fakes/ollama-registry.ts";
import { blobFile, makeSample } from "../fakes/ollama-samples.ts";
import { backendManifest, createProject, modelManifest, type Project } from "./harness.ts";

interface Machine {
  readonly project: Project;
  readonly ollama: FakeOllama;
  readonly registry: FakeRegistry;
  readonly store: string;
}

async function machine(): Promise<Machine> {
  const project = await createProject();
  const store = join(project.home, "ollama");
  const [ollama, registry] = await Promise.all([startFakeOllama(store), startFakeRegistry()]);
  onTestFinished(async () => {
    await ollama.close();
    await registry.close();
  });
  for (const [index, name] of ["alpha", "beta"].entries()) registry.publish(makeSample({ name: `lab/${name}:1b`, seed: index, size: 100_000 }));
  await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", url: ollama.url, store, insecureRegistry: true }));
  return { project, ollama, registry, store };
}

const declare = ({ registry }: Machine, ...names: readonly string[]): string =>
  names.map((name) => modelManifest(name, { ollama: { model: `${registry.host}/lab/${name}:1b` } })).join("");

describe("the loop on Ollama", () => {
  it("plans pulls with sizes, applies them, and then has nothing to do", async () => {
    const { project, ...rest } = await machine();
    await project.write("manifests/models.yaml", declare({ project, ...rest }, "alpha", "beta"));
    const plan = await project.expect(2, "plan", "--detailed-exitcode");
    expect(plan.stdout).toContain("Plan: 2 to pull.");
    expect(plan.stdout).toMatch(/Download \d+/);
    await project.expect(0, "reconcile");
    expect((await project.expect(0, "plan", "--detailed-exitcode")).stdout).toContain("No changes.");
    await project.expect(0, "drift", "--verify", "full");
  });

  it("S0.10 a second pass writes no file and changes no byte of the registry", async () => {
    const given = await machine();
    const { project } = given;
    await project.write("manifests/models.yaml", declare(given, "alpha"));
    await project.expect(0, "reconcile");
    await project.expect(0, "reconcile");
    const before = await project.read("configs/model_registry.json");
    expect((await project.expect(0, "reconcile")).stdout).not.toContain("Wrote");
    expect(await project.read("configs/model_registry.json")).toBe(before);
    expect(JSON.parse(before)).toMatchObject([{ name: "alpha", served_model_id: `${given.registry.host}/lab/alpha:1b` }]);
  });

  it("a tag that moved is reported and not followed; a deleted model comes back with its locked bytes", async () => {
    const given = await machine();
    const { project, registry, ollama } = given;
    await project.write("manifests/models.yaml", declare(given, "alpha"));
    await project.expect(0, "reconcile");
    await project.expect(0, "lock");
    registry.publish(makeSample({ name: "lab/alpha:1b", seed: 77, size: 100_000 }));
    const outdated = await project.expect(2, "outdated", "--detailed-exitcode", "-o", "json");
    expect(JSON.parse(outdated.stdout)).toMatchObject({ models: [{ name: "alpha", state: "moved", locked: true }] });
    expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: no changes.");
    await fetch(`${ollama.url}/api/delete`, { method: "DELETE", body: JSON.stringify({ model: `${registry.host}/lab/alpha:1b` }) });
    expect((await project.expect(0, "plan")).stdout).toContain("is served to Ollama from loopback");
    await project.expect(0, "reconcile");
    await project.expect(0, "verify");
    const tags: unknown = await (await fetch(`${ollama.url}/api/tags`)).json();
    expect(JSON.stringify(tags).match(/"name":"[^"]+"/g)).toEqual([`"name":"${registry.host}/lab/alpha:1b"`]);
  });

  it("ollama 17520: zeroed bytes of the same size are found by a full look, named, and repaired", async () => {
    const given = await machine();
    const { project, store } = given;
    await project.write("manifests/models.yaml", declare(given, "alpha", "beta"));
    await project.expect(0, "reconcile");
    await project.expect(0, "lock");
    const [digest = ""] = [...makeSample({ name: "lab/alpha:1b", seed: 0, size: 100_000 }).blobs].flatMap(([hex, bytes]) =>
      bytes.length === 100_000 ? [hex.replace(/^sha256:/, "")] : [],
    );
    const handle = await open(blobFile(store, digest), "r+");
    await handle.write(Buffer.alloc(4096), 0, 4096, 8192);
    await handle.close();
    const drift = await project.expect(2, "drift", "--verify", "full", "-o", "json");
    const report: { drifts: { class: string; object: string; path: string; expected: string; actual: string }[] } = JSON.parse(drift.stdout);
    expect(report.drifts).toHaveLength(1);
    expect(report.drifts[0]).toMatchObject({ class: "corrupt", object: "model/alpha", path: `sha256:${digest}`, expected: digest });
    expect(report.drifts[0]?.actual).toMatch(/^[0-9a-f]{64}$/);
    await project.expect(2, "verify", "alpha");
    await project.expect(0, "reconcile");
    await project.expect(0, "verify");
  });

  it("what leaves Git is deprecated, and after the grace period purged; the rest still verifies", async () => {
    const given = await machine();
    const { project, ollama, registry } = given;
    await project.write("manifests/models.yaml", declare(given, "alpha", "beta"));
    await project.expect(0, "reconcile");
    await project.write("manifests/models.yaml", declare(given, "alpha"));
    const deprecate = await project.expect(0, "reconcile", "--set", "prune.grace=0s");
    expect(deprecate.stdout).toContain("Plan: 1 to deprecate.");
    expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: no changes.");
    const purge = await project.expect(0, "reconcile", "--set", "prune.grace=0s");
    expect(purge.stdout).toContain("Plan: 1 to purge.");
    const tags = JSON.stringify(await (await fetch(`${ollama.url}/api/tags`)).json());
    expect(tags).toContain(`${registry.host}/lab/alpha:1b`);
    expect(tags).not.toContain("beta");
    await project.expect(0, "drift", "--verify", "full");
  });

  it("F11 a stopped Ollama is unknown: exit 24, nothing deprecated, purged or pulled", async () => {
    const given = await machine();
    const { project, ollama } = given;
    await project.write("manifests/models.yaml", declare(given, "alpha", "beta"));
    await project.expect(0, "reconcile");
    await project.write("manifests/models.yaml", declare(given, "alpha"));
    await ollama.crash();
    const pass = await project.expect(24, "reconcile", "-o", "json");
    expect(JSON.parse(pass.stdout)).toMatchObject({ plan: { actions: [] }, outcomes: [] });
    expect((await project.expect(24, "status", "-o", "json")).stdout).toContain('"health": "Unknown"');
    expect(JSON.parse(await project.read("configs/model_registry.json"))).toHaveLength(2);
  });

  it("a saved plan is applied as it was reviewed, and refused where its model changed since", async () => {
    const given = await machine();
    const { project, ollama, registry } = given;
    await project.write("manifests/models.yaml", declare(given, "alpha", "beta"));
    await project.expect(0, "plan", "--out", "plan.json");
    await fetch(`${ollama.url}/api/pull`, {
      method: "POST",
      body: JSON.stringify({ model: `${registry.host}/lab/alpha:1b`, insecure: true, stream: false }),
    }).then((answer) => answer.text());
    const result = await project.expect(22, "apply", "plan.json", "-o", "json");
    const outcomes: { outcomes: { state: string; failure?: { code: string } }[] } = JSON.parse(result.stdout);
    expect(outcomes.outcomes.map((outcome) => outcome.failure?.code ?? outcome.state)).toEqual(["precondition", "applied"]);
    await project.expect(22, "apply", "plan.json", "--plan-digest", "0".repeat(64));
  });
});
