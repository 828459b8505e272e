import { expect, it, onTestFinished } from "vitest";
import { hubModel, noise } from "../fakes/hub-model.ts";
import { startFakeHub } from "../fakes/hub-server.ts";
import { createProject, modelManifest } from "./harness.ts";

it("a branch that moved is reported, followed only by lock --update, and then pulled exactly", async () => {
  const before = hubModel("org/m", { "config.json": `{"v":1}`, "model.safetensors": noise("one", 20_000) });
  const after = hubModel("org/m", { "config.json": `{"v":2}`, "model.safetensors": noise("two", 20_000) });
  const models = [before];
  const hub = await startFakeHub(models);
  const moved = await startFakeHub([after]);
  onTestFinished(() => Promise.all([hub.close(), moved.close()]).then(() => undefined));
  const project = await createProject({ HF_ENDPOINT: hub.endpoint });
  await project.write("manifests/m.yaml", modelManifest("m", { huggingface: { repo: "org/m", revision: "main" } }));
  expect((await project.expect(0, "lock", "m")).stdout).toContain("2 files");
  await project.expect(0, "reconcile");
  await project.expect(0, "verify");
  project.env["HF_ENDPOINT"] = moved.endpoint;
  const outdated = await project.expect(2, "outdated", "--detailed-exitcode", "-o", "json");
  expect(JSON.parse(outdated.stdout)).toMatchObject({ models: [{ state: "moved", current: before.commit, latest: after.commit }] });
  expect((await project.expect(0, "reconcile")).stdout).toContain("Plan: no changes.");
  expect((await project.expect(0, "lock", "m", "--update")).stdout).toContain(after.commit);
  expect((await project.expect(2, "plan", "--detailed-exitcode")).stdout).toContain("Plan: 1 to pull.");
  await project.expect(0, "reconcile");
  await project.expect(0, "verify");
  expect((await project.expect(0, "reconcile")).stdout).toContain("deprecate");
});
