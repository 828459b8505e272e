import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { activate, deactivate, restorePrevious } from "../../../src/app/activation/activate.ts";
import { placeOf } from "../../../src/app/activation/activation-host.ts";
import { convergeServing } from "./converge-serving.ts";
import { decodeActiveState } from "../../../src/domain/activation/active-state.ts";
import { useWorkspace } from "../../adapters/filesystem/workspace.ts";
import { servingWorld, type ServingWorld, type WorldOptions } from "./activation-world.ts";

const workspace = useWorkspace();
const worlds: ServingWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function open(options: WorldOptions = {}): Promise<ServingWorld> {
  const world = await servingWorld(await workspace(), options);
  worlds.push(world);
  return world;
}

async function state(world: ServingWorld): Promise<ReturnType<typeof decodeActiveState>> {
  return decodeActiveState(await readFile(world.stateFile, "utf8"));
}

describe("activating a model", () => {
  it("S1.11 S1.45 starts it, proves it, and writes the state file in the known format", async () => {
    const world = await open();
    const a = await world.model("a", {}, { servedModelId: "team/a" });
    const result = await activate(world.host, { backend: world.backend, ...a }, world.options());
    expect(result.outcome).toBe("switched");
    expect(await world.served()).toEqual(["team/a"]);
    const text = await readFile(world.stateFile, "utf8");
    expect(JSON.parse(text)).toEqual({
      logical_name: "a",
      served_model_id: "team/a",
      port: world.port,
      pid: result.activated.leader.pid,
      started_at: expect.any(Number),
    });
    expect(Object.keys(JSON.parse(text))).toEqual(["logical_name", "served_model_id", "port", "pid", "started_at"]);
    expect((await world.record())?.condition).toMatchObject({ status: "True", reason: "Serving" });
    expect((await world.record())?.pending).toBeUndefined();
    expect((await stat(join(world.host.paths.records, "gpu.json"))).mode & 0o777).toBe(0o600);
  });

  it("S1.45 replaces the model that serves and leaves no process of it", async () => {
    const world = await open();
    const [a, b] = [await world.model("a"), await world.model("b")];
    const first = await activate(world.host, { backend: world.backend, ...a }, world.options());
    const second = await activate(world.host, { backend: world.backend, ...b }, world.options());
    expect(await world.served()).toEqual(["b"]);
    expect(world.host.processes.isAlive(first.activated.leader)).toBe(false);
    expect(new Set(world.ours().map((process) => process.instance))).toEqual(new Set([second.activated.instance]));
    expect(await state(world)).toMatchObject({ state: { logical_name: "b", pid: second.activated.leader.pid } });
  });

  it("does nothing to a server that already serves the declared model", async () => {
    const world = await open();
    const a = await world.model("a");
    const first = await activate(world.host, { backend: world.backend, ...a }, world.options());
    const again = await activate(world.host, { backend: world.backend, ...a }, world.options());
    expect(again.outcome).toBe("unchanged");
    expect(again.activated).toEqual(first.activated);
    expect(world.host.processes.isAlive(first.activated.leader)).toBe(true);
  });

  it("switches when only the launch arguments change, and when only the bytes change", async () => {
    const world = await open();
    const plain = await world.model("a");
    await activate(world.host, { backend: world.backend, ...plain }, world.options());
    const longer = await world.model("a", {}, { launch: { args: ["--max-model-len", "128"], env: {} } });
    expect((await convergeServing(world.host, world.backend, longer, world.options())).decision.step?.reason).toContain("other arguments");
    await writeFile(join(world.root, "models", "a", "config.json"), JSON.stringify({ name: "z" }));
    const changed = await world.model("a", {}, { launch: longer.model.launch });
    const { decision, result } = await convergeServing(world.host, world.backend, changed, world.options());
    expect(decision.step?.reason).toContain("older bytes");
    expect(result?.outcome).toBe("switched");
    expect((await convergeServing(world.host, world.backend, changed, world.options())).decision).toEqual({});
  });

  it("says what it is doing while it starts", async () => {
    const world = await open();
    const a = await world.model("a", { FAKE_VLLM_LOAD_MS: "2000" });
    await activate(world.host, { backend: world.backend, ...a }, world.options());
    const phases = world.events.flatMap((event) => (event.type === "progress" ? [event.phase] : []));
    expect(phases).toEqual(expect.arrayContaining(["checking", "starting", "loading weights", "one-token test"]));
    expect(phases).not.toContain("stopping");
    await activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options());
    expect(world.events).toContainEqual(expect.objectContaining({ phase: "stopping" }));
  });

  it("drains: a request that runs is waited for, but not for ever", async () => {
    const world = await open({
      backend: { activation: { startTimeout: 20_000, stopTimeout: 20_000, rollback: true, smokeTest: true, maxAttempts: 3 } },
    });
    const busy = await world.model("a", { FAKE_VLLM_BUSY_MS: "4000" });
    const { activated } = await activate(world.host, { backend: world.backend, ...busy }, world.options());
    await activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options());
    expect(world.events.some((event) => event.type === "progress" && event.phase === "draining, 1 request")).toBe(true);
    expect(world.host.processes.isAlive(activated.leader)).toBe(false);
  });

  it("accepts a model that can only embed", async () => {
    const world = await open();
    await activate(world.host, { backend: world.backend, ...(await world.model("a", { FAKE_VLLM_SMOKE: "embeddings-only" })) }, world.options());
    expect(await world.served()).toEqual(["a"]);
  });

  it.each(["lmdeploy", "gguf"] as const)("S1.11 starts %s servers with their own command line", async (type) => {
    const world = await open({ backend: { type } });
    if (type === "gguf") {
      await world.model("a");
      await writeFile(join(world.root, "models", "a", "weights.gguf"), "GGUF");
    }
    await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
    expect(await world.served()).toEqual(["a"]);
  });

  it("runs the vision probe when there is one, and takes its refusal for a failed start", async () => {
    const world = await open();
    const a = await world.model("a");
    await activate(world.host, { backend: world.backend, ...a }, world.options());
    const asked: string[] = [];
    const probe = async ({ url, servedId }: { readonly url: string; readonly servedId: string }): Promise<void> => {
      asked.push(`${url} ${servedId}`);
      throw new Error("it does not see the cat");
    };
    await expect(activate(world.host, { backend: world.backend, ...(await world.model("b")), probe }, world.options())).rejects.toThrow(
      /does not see the cat.*a serves again/s,
    );
    expect(asked).toEqual([`http://127.0.0.1:${world.port} b`]);
    expect(await world.served()).toEqual(["a"]);
  });
});

describe("stopping", () => {
  it("S1.46 stops the server, from another process than the one that started it, and clears the state file", async () => {
    const world = await open();
    const { activated } = await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
    const other = await servingWorld(world.root, { port: world.port });
    await deactivate(other.host, { ...placeOf(world.backend, world.stateFile), adopt: false }, world.options());
    expect(other.host.processes.isAlive(activated.leader)).toBe(false);
    expect(world.ours()).toEqual([]);
    expect(await world.served()).toEqual([]);
    await expect(stat(world.stateFile)).rejects.toThrow("ENOENT");
    expect(await world.record()).toMatchObject({ condition: { reason: "Stopped" } });
    expect((await world.record())?.committed).toBeUndefined();
    expect((await convergeServing(other.host, world.backend, undefined, world.options())).decision).toEqual({});
  });

  it("S1.46 stops a server that ignores SIGTERM", async () => {
    const world = await open({
      backend: { activation: { startTimeout: 20_000, stopTimeout: 600, rollback: true, smokeTest: true, maxAttempts: 3 } },
    });
    const { activated } = await activate(
      world.host,
      { backend: world.backend, ...(await world.model("a", { FAKE_VLLM_IGNORE_TERM: "always" })) },
      world.options(),
    );
    await deactivate(world.host, { ...placeOf(world.backend, world.stateFile), adopt: false }, world.options());
    expect(world.host.processes.isAlive(activated.leader)).toBe(false);
    expect(world.ours()).toEqual([]);
  });

  it("puts back what served last, exactly as it was started then", async () => {
    const world = await open();
    const { activated } = await activate(
      world.host,
      { backend: world.backend, ...(await world.model("a", {}, { launch: { args: ["--max-model-len", "64"], env: {} } })) },
      world.options(),
    );
    await world.close();
    const { activated: back } = await restorePrevious(world.host, world.backend, world.options());
    expect(back.target).toEqual(activated.target);
    expect(back.leader).not.toEqual(activated.leader);
    expect(await world.served()).toEqual(["a"]);
  });
});
