import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { activate } from "../../../src/app/activation/activate.ts";
import { currentActivation } from "../../../src/app/activation/current.ts";
import { placeOf } from "../../../src/app/activation/activation-host.ts";
import { convergeServing } from "./converge-serving.ts";
import { commandsOf, failureOf, until, useWorlds } from "./activation-fixture.ts";

const worlds = useWorlds();

describe("a stranger on the port", () => {
  it("is left alone and named, also while it only loads and nothing listens yet", async () => {
    const world = await worlds.open();
    const pid = await worlds.stranger(world, "theirs");
    await until(async () => (await world.served()).length > 0);
    const b = await world.model("b");
    const { decision } = await convergeServing(world.host, world.backend, b, world.options());
    expect(decision.step).toBeUndefined();
    expect(decision.obstacle).toMatchObject({
      cause: "backend",
      reason: expect.stringContaining(`pid ${pid} `),
      remedy: expect.stringContaining("adopt: true"),
    });
    expect(await failureOf(activate(world.host, { backend: world.backend, ...b }, world.options()))).toMatchObject({ code: "conflict" });
    expect(await world.served()).toEqual(["theirs"]);
    expect(await currentActivation(world.host, placeOf(world.backend, world.stateFile), new AbortController().signal)).toMatchObject({
      state: "foreign",
    });
    const loading = await worlds.open();
    await worlds.stranger(loading, "theirs", ["--dtype", "auto"]);
    await until(() => loading.host.processes.holdersOf(loading.port).told.length > 0);
    expect(await failureOf(activate(loading.host, { backend: loading.backend, ...(await loading.model("b")) }, loading.options()))).toMatchObject({
      code: "conflict",
    });
  });

  it("is in order when it serves exactly the declared model", async () => {
    const world = await worlds.open();
    const b = await world.model("b");
    await worlds.stranger(world, "b");
    await until(async () => (await world.served()).length > 0);
    expect((await convergeServing(world.host, world.backend, b, world.options())).decision).toEqual({});
  });

  it("S1.11 is stopped with its workers where the backend adopts it, and put back when the new one fails", async () => {
    const world = await worlds.open({ backend: { adopt: true } });
    const pid = await worlds.stranger(world, "theirs");
    await until(async () => (await world.served()).length > 0);
    const before = world.host.processes.holdersOf(world.port).listeners[0]?.pid;
    expect(before).toBe(pid);
    const failure = await failureOf(
      activate(world.host, { backend: world.backend, ...(await world.model("b", { FAKE_VLLM_CRASH: "RuntimeError: no" })) }, world.options()),
    );
    expect(failure.message).toContain("theirs serves again");
    expect(world.host.processes.look(pid)).toBeUndefined();
    expect(await world.served()).toEqual(["theirs"]);
    await convergeServing(world.host, world.backend, await world.model("c"), world.options());
    expect(await world.served()).toEqual(["c"]);
    expect(commandsOf(world, "models/theirs")).toEqual([]);
  });

  it("that is no engine at all is never stopped unless adopted", async () => {
    const world = await worlds.open();
    const server = createServer().listen(world.port, "127.0.0.1");
    await once(server, "listening");
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options()));
    expect(failure.message).toContain(`pid ${process.pid} `);
    server.close();
  });
});
