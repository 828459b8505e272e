import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { activate, deactivate, type ActivationRequest } from "../../src/app/activate.ts";
import { convergeServing, placeOf } from "../../src/app/converge-serving.ts";
import { currentActivation } from "../../src/app/current-activation.ts";
import { HoldfastError } from "../../src/domain/failure.ts";
import { useWorkspace } from "../adapters/filesystem/workspace.ts";
import { servingWorld, type ServingWorld } from "../app/activation-world.ts";

/** A `vllm` executable, and a folder with at least two small models in folders of their own. */
const vllm = process.env["HOLDFAST_TEST_VLLM"];
const models = process.env["HOLDFAST_TEST_VLLM_MODELS"];
const missing = vllm === undefined || models === undefined;
if (missing)
  process.stderr.write(
    "skipped: a real vLLM is tried only with HOLDFAST_TEST_VLLM (executable) and HOLDFAST_TEST_VLLM_MODELS (folder with two small models)\n",
  );

const workspace = useWorkspace();
const worlds: ServingWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

const args = ["--dtype", "bfloat16", "--enforce-eager", "--max-model-len", "256", "--max-num-seqs", "4"];

async function open(): Promise<ServingWorld> {
  const root = await workspace();
  await mkdir(join(root, "tmp"));
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
  const world = await servingWorld(root, {
    env: { HOME: root },
    backend: {
      launch: { command: [vllm ?? ""], env },
      activation: { startTimeout: 180_000, stopTimeout: 20_000, rollback: true, smokeTest: true, maxAttempts: 3 },
    },
  });
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

describe.skipIf(missing)("a real vLLM", () => {
  it("S1.11 S1.45 S1.46 S1.47 serves A, then B, and nothing of A is left; a broken one puts B back and says why", { timeout: 600_000 }, async () => {
    const world = await open();
    const [a, b] = [await small(world, 0), await small(world, 1)];
    const first = await activate(world.host, { backend: world.backend, ...a }, world.options());
    expect(await currentActivation(world.host, placeOf(world.backend, world.stateFile), new AbortController().signal)).toMatchObject({
      state: "serving",
      active: { logical_name: a.model.metadata.name, pid: first.activated.leader.pid },
      notes: [],
    });
    expect(await world.served()).toEqual([a.model.metadata.name]);
    expect(world.ours().map((process) => process.command[0])).toEqual(expect.arrayContaining([expect.stringContaining("VLLM::EngineCore")]));

    const second = await activate(world.host, { backend: world.backend, ...b }, world.options());
    expect(await currentActivation(world.host, placeOf(world.backend, world.stateFile), new AbortController().signal)).toMatchObject({
      state: "serving",
      active: { logical_name: b.model.metadata.name, pid: second.activated.leader.pid },
      notes: [],
    });
    expect(await world.served()).toEqual([b.model.metadata.name]);
    expect(
      world.host.processes
        .find({ kind: "marked", scope: first.activated.instance.split(".")[0] ?? "", leaders: [first.activated.leader] })
        .filter((process) => process.instance === first.activated.instance),
    ).toEqual([]);
    expect(await strays(world)).toEqual([]);

    const broken = join(world.root, "models", "broken");
    await cp(join(world.root, "models", b.model.metadata.name), broken, { recursive: true });
    const config: object = JSON.parse(await readFile(join(broken, "config.json"), "utf8"));
    await writeFile(join(broken, "config.json"), JSON.stringify({ ...config, architectures: ["NoSuchArchitecture"], model_type: "no-such-type" }));
    const bad = await world.model("broken", {}, { launch: { args, env: {} } });
    const error: unknown = await activate(world.host, { backend: world.backend, ...bad }, world.options()).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(String(error)).toMatch(/no-such-type/i);
    expect(String(error)).toContain(`${b.model.metadata.name} serves again`);
    expect(await world.served()).toEqual([b.model.metadata.name]);
    expect(await strays(world)).toEqual([]);

    await deactivate(world.host, { ...placeOf(world.backend, world.stateFile), adopt: false }, world.options());
    expect(world.ours()).toEqual([]);
  });

  it("S1.11 is stopped while it loads, when it loses SIGTERM, and a killed API server leaves no orphan behind", { timeout: 600_000 }, async () => {
    const world = await open();
    const [a, b] = [await small(world, 0), await small(world, 1)];
    const cancel = new AbortController();
    const running = activate(world.host, { backend: world.backend, ...a }, world.options(cancel.signal)).catch((error: unknown) => error);
    for (let round = 0; round < 600 && world.ours().length < 3; round += 1) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(world.ours().length).toBeGreaterThan(2);
    cancel.abort(new Error("killed in the middle"));
    expect(await running).toMatchObject({ message: "killed in the middle" });

    const { result } = await convergeServing(world.host, world.backend, b, world.options());
    expect(result?.activated.target.model).toBe(b.model.metadata.name);
    expect(await world.served()).toEqual([b.model.metadata.name]);
    expect(await strays(world)).toEqual([]);

    process.kill(result?.activated.leader.pid ?? 0, "SIGKILL");
    for (let round = 0; round < 100 && (await world.served()).length > 0; round += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.ours().length).toBeGreaterThan(0);
    await convergeServing(world.host, world.backend, b, world.options());
    expect(await world.served()).toEqual([b.model.metadata.name]);
    expect(await strays(world)).toEqual([]);
  });
});
