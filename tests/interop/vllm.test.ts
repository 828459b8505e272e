import { cp, mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { activate, deactivate, type ActivationRequest, type ActivationResult } from "../../src/app/activation/activate.ts";
import { placeOf } from "../../src/app/activation/activation-host.ts";
import { convergeServing } from "../app/activation/converge-serving.ts";
import { currentActivation } from "../../src/app/activation/current.ts";
import type { Backend } from "../../src/domain/backend.ts";
import { ended, startProgram } from "../adapters/filesystem/child.ts";
import { useWorkspace } from "../adapters/filesystem/workspace.ts";
import { failureOf } from "../app/activation/activation-fixture.ts";
import { servingWorld, type ServingWorld } from "../app/activation/activation-world.ts";

/** A `vllm` executable, and a folder with at least two small models in folders of their own. */
const vllm = process.env["HOLDFAST_TEST_VLLM"];
const models = process.env["HOLDFAST_TEST_VLLM_MODELS"];
const missing = vllm === undefined || models === undefined;
if (missing)
  process.stderr.write(
    "skipped: a real vLLM is tried only with HOLDFAST_TEST_VLLM (executable) and HOLDFAST_TEST_VLLM_MODELS (folder with two small models)\n",
  );

const driver = new URL("../app/activation/activation-driver.ts", import.meta.url);
const workspace = useWorkspace();
const worlds: ServingWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

const args = ["--dtype", "bfloat16", "--enforce-eager", "--max-model-len", "256", "--max-num-seqs", "4"];

/** How a world has to be made for the real engine. */
function engineIn(root: string): { readonly backend: Partial<Backend>; readonly env: NodeJS.ProcessEnv } {
  const env = {
    VLLM_CPU_KVCACHE_SPACE: "1",
    VLLM_CPU_OMP_THREADS_BIND: "nobind",
    OMP_NUM_THREADS: "1",
    VLLM_HOST_IP: "127.0.0.1",
    GLOO_SOCKET_IFNAME: "lo",
    HF_HOME: join(root, "hf"),
    VLLM_CACHE_ROOT: join(root, "cache"),
    TMPDIR: join(root, "tmp"),
  };
  const activation = { startTimeout: 180_000, stopTimeout: 20_000, rollback: true, smokeTest: true, maxAttempts: 3 };
  return { env: { HOME: root }, backend: { launch: { command: [vllm ?? ""], env }, activation } };
}

async function open(): Promise<ServingWorld> {
  const root = await workspace();
  await mkdir(join(root, "tmp"));
  const world = await servingWorld(root, engineIn(root));
  worlds.push(world);
  return world;
}

/** Declares the n-th of the small models. */
async function small(world: ServingWorld, index: number): Promise<Omit<ActivationRequest, "backend">> {
  const names = (await readdir(models ?? "", { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted();
  const name = names[index] ?? "";
  await cp(join(models ?? "", name), join(world.root, "models", name), { recursive: true });
  return world.model(name, {}, { launch: { args, env: {} } });
}

/** Processes of ours that are not of the committed instance: there must be none. */
async function strays(world: ServingWorld): Promise<readonly string[]> {
  const record = await world.record();
  return world.ours().flatMap((process) => (process.instance === record?.committed?.instance ? [] : [process.command.join(" ")]));
}

/** A copy of a served model with something wrong in it. */
async function spoiled(
  world: ServingWorld,
  of: string,
  name: string,
  harm: (dir: string) => Promise<void>,
): Promise<Omit<ActivationRequest, "backend">> {
  const dir = join(world.root, "models", name);
  await cp(join(world.root, "models", of), dir, { recursive: true });
  await harm(dir);
  return world.model(name, {}, { launch: { args, env: {} } });
}

async function withUnknownArchitecture(dir: string): Promise<void> {
  const path = join(dir, "config.json");
  const config: object = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...config, architectures: ["NoSuchArchitecture"], model_type: "no-such-type" }));
}

/** As a download that broke off leaves it: the engine starts, and dies in its worker while it loads. */
async function withTruncatedWeights(dir: string): Promise<void> {
  const path = join(dir, "model.safetensors");
  await truncate(path, Math.floor((await stat(path)).size / 2));
}

async function expectServing(world: ServingWorld, { activated }: ActivationResult): Promise<void> {
  const { model } = activated.target;
  expect(await currentActivation(world.host, placeOf(world.backend, world.stateFile), new AbortController().signal)).toMatchObject({
    state: "serving",
    active: { logical_name: model, pid: activated.leader.pid, port: world.port },
    served: { models: [{ id: model, root: join(world.root, "models", model), maxModelLen: 256 }] },
    notes: [],
  });
  expect(world.ours().map((process) => process.command[0])).toEqual(expect.arrayContaining([expect.stringContaining("VLLM::EngineCore")]));
  expect(await strays(world)).toEqual([]);
}

/** Starts a switch in a process of its own, and kills that process when the engine has started its own. */
async function dieWhileLoading(world: ServingWorld, model: string): Promise<void> {
  const order = { root: world.root, port: world.port, model, engine: { ...engineIn(world.root), args } };
  const child = startProgram(driver, [JSON.stringify(order)]);
  const end = ended(child);
  const loads = async (): Promise<boolean> => {
    const pending = (await world.record())?.pending;
    return pending?.phase === "loading" && world.ours().filter((process) => process.instance === pending.instance).length > 2;
  };
  for (let round = 0; round < 600 && !(await loads()); round += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await loads()).toBe(true);
  child.kill("SIGKILL");
  await end;
}

describe.skipIf(missing)("a real vLLM", () => {
  it("S1.11 S1.45 S1.46 S1.47 serves A, then B, and nothing of A is left; a broken one puts B back and says why", { timeout: 900_000 }, async () => {
    const world = await open();
    const [a, b] = [await small(world, 0), await small(world, 1)];
    const name = b.model.metadata.name;
    await expectServing(world, await activate(world.host, { backend: world.backend, ...a }, world.options()));
    await expectServing(world, await activate(world.host, { backend: world.backend, ...b }, world.options()));

    const half = await spoiled(world, name, "half", withTruncatedWeights);
    const late = await failureOf(activate(world.host, { backend: world.backend, ...half }, world.options()));
    expect(late.message).toMatch(/half did not come up .* it ended with code 1: .*SafetensorError/);
    expect(late.message).toContain(`${name} serves again`);
    const record = await world.record();
    expect(record?.attempts.at(-1)?.lines.join("\n")).toContain("SafetensorError");
    expect(record?.committed?.target.model).toBe(name);
    if (record?.committed !== undefined) await expectServing(world, { outcome: "switched", activated: record.committed });

    const strange = await spoiled(world, name, "strange", withUnknownArchitecture);
    const early = await failureOf(activate(world.host, { backend: world.backend, ...strange }, world.options()));
    expect(early.message).toMatch(/strange did not come up .*no-such-type/);
    expect(early.message).toContain(`${name} serves again`);
    expect(await world.served()).toEqual([name]);
    expect(await strays(world)).toEqual([]);

    await deactivate(world.host, { ...placeOf(world.backend, world.stateFile), adopt: false }, world.options());
    expect(world.ours()).toEqual([]);
  });

  it(
    "S1.11 is stopped while it loads, when it loses SIGTERM; kill -9 of Holdfast or of the API server leaves no orphan behind",
    { timeout: 900_000 },
    async () => {
      const world = await open();
      const [a, b] = [await small(world, 0), await small(world, 1)];
      await dieWhileLoading(world, a.model.metadata.name);
      const first = await convergeServing(world.host, world.backend, b, world.options());
      expect(first.decision.step?.verb).toBe("activate");
      if (first.result !== undefined) await expectServing(world, first.result);
      expect(await world.served()).toEqual([b.model.metadata.name]);

      process.kill(first.result?.activated.leader.pid ?? Number.NaN, "SIGKILL");
      for (let round = 0; round < 100 && (await world.served()).length > 0; round += 1) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(world.ours().length).toBeGreaterThan(0);
      await dieWhileLoading(world, b.model.metadata.name);
      const pending = (await world.record())?.pending;
      const second = await convergeServing(world.host, world.backend, b, world.options());
      expect(second.result?.activated.leader).toEqual(pending?.phase === "loading" ? pending.leader : undefined);
      if (second.result !== undefined) await expectServing(world, second.result);
      expect((await convergeServing(world.host, world.backend, b, world.options())).decision).toEqual({});
    },
  );
});
