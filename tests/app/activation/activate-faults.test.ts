import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { activate } from "../../../src/app/activation/activate.ts";
import { convergeServing } from "./converge-serving.ts";
import { commandsOf, failureOf, until, useWorlds } from "./activation-fixture.ts";

const worlds = useWorlds();

describe("a start that fails", () => {
  const crash = { FAKE_VLLM_CRASH: "ValueError: No available memory for the cache blocks", FAKE_VLLM_CRASH_CODE: "1" };

  it("F17 puts the previous model back, proves it, and says why with the last lines of the log", async () => {
    const world = await worlds.serving();
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b", crash)) }, world.options()));
    expect(failure.message).toContain("b did not come up");
    expect(failure.message).toContain("it ended with code 1: ValueError: No available memory for the cache blocks");
    expect(failure.message).toContain("a serves again");
    expect(await world.served()).toEqual(["a"]);
    const record = await world.record();
    expect(record?.condition).toMatchObject({ status: "False", reason: "StartFailed" });
    expect(record?.attempts[0]?.lines.join("\n")).toContain("ValueError: No available memory");
    expect(JSON.parse(await readFile(world.stateFile, "utf8"))).toMatchObject({ logical_name: "a", pid: record?.committed?.leader.pid });
    expect(new Set(world.ours().map((process) => process.instance))).toEqual(new Set([record?.committed?.instance]));
  });

  it("S1.79 names the state file, the log and the command, and tells a wrong launch from a busy GPU", async () => {
    const world = await worlds.serving();
    const busy = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b", crash)) }, world.options()));
    for (const part of [world.stateFile, join(world.root, "logs", "vllm", "b.log"), "vllm.ts serve", "--served-model-name b"])
      expect(busy.message).toContain(part);
    expect(busy.remedy).toContain("the GPU has no room");
    const wrong = await failureOf(
      activate(
        world.host,
        { backend: world.backend, ...(await world.model("c", {}, { launch: { args: ["--no-such-flag"], env: {} } })) },
        world.options(),
      ),
    );
    expect(wrong.message).toContain("unrecognized arguments: --no-such-flag");
    expect(wrong.remedy).toContain("launch configuration is wrong");
    expect(await world.served()).toEqual(["a"]);
  });

  it.each([
    ["prints and exits", { FAKE_VLLM_PRINT_AND_EXIT: "Hello from the wrong program" }, "it ended with code 0: Hello from the wrong program"],
    ["serves another id", { FAKE_VLLM_SERVED_ID: "wrong" }, "serves wrong instead of b"],
    ["serves other files under the id", { FAKE_VLLM_ROOT: "/elsewhere" }, "serves /elsewhere as b instead of"],
    ["does not answer the one-token test", { FAKE_VLLM_SMOKE: "fails" }, "does not let b answer: /v1/completions 500"],
    ["never gets healthy", { FAKE_VLLM_LOAD_MS: "60000" }, "it was not healthy after 3 s (nothing listens)"],
    [
      "ignores SIGTERM while it loads and never gets healthy",
      { FAKE_VLLM_LOAD_MS: "60000", FAKE_VLLM_IGNORE_TERM: "load" },
      "it was not healthy after 3 s",
    ],
    ["takes connections and never answers", { FAKE_VLLM_HANG: "1" }, "it was not healthy after 3 s (GET /v1/models: no answer"],
    ["hides its worker from the marker", { FAKE_VLLM_ENGINE: "unmarked", FAKE_VLLM_SERVED_ID: "wrong" }, "serves wrong instead of b"],
  ])("F17 a server that %s is stopped and the previous one put back", async (_, switches, reason) => {
    const world = await worlds.serving({
      backend: { activation: { startTimeout: 3_000, stopTimeout: 2_000, rollback: true, smokeTest: true, maxAttempts: 3 } },
    });
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b", switches)) }, world.options()));
    expect(failure.message).toContain(reason);
    expect(failure.message).toContain("a serves again");
    expect(await world.served()).toEqual(["a"]);
    const record = await world.record();
    expect(new Set(world.ours().map((process) => process.instance))).toEqual(new Set([record?.committed?.instance]));
    expect(commandsOf(world, "models/b")).toEqual([]);
  });

  it("F17 stays down and says so where rollback is false", async () => {
    const world = await worlds.serving({
      backend: { activation: { startTimeout: 20_000, stopTimeout: 2_000, rollback: false, smokeTest: true, maxAttempts: 3 } },
    });
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b", crash)) }, world.options()));
    expect(failure.message).toContain("activation.rollback is false");
    expect(world.ours()).toEqual([]);
  });

  it("F17 says both reasons when the previous model cannot be put back either", async () => {
    const world = await worlds.serving();
    const b = await world.model("b", crash);
    await rm(join(world.root, "models", "a"), { recursive: true });
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...b }, world.options()));
    expect(failure.message).toContain("No available memory");
    expect(failure.message).toMatch(/a could not be put back \(.*is not in directory any more\), nothing serves/);
    expect((await world.record())?.condition).toMatchObject({ status: "False", reason: "RollbackFailed" });
    expect(world.ours()).toEqual([]);
  });

  it("F17 stops trying after maxAttempts and backs off while the previous model serves; a person can ask again", async () => {
    const world = await worlds.serving({
      backend: { activation: { startTimeout: 20_000, stopTimeout: 2_000, rollback: true, smokeTest: true, maxAttempts: 2 } },
    });
    const b = await world.model("b", crash);
    await failureOf(convergeServing(world.host, world.backend, b, world.options()));
    const waiting = await convergeServing(world.host, world.backend, b, world.options());
    expect(waiting.decision.step).toBeUndefined();
    expect(waiting.decision.obstacle?.reason).toMatch(/starting b failed once .*; next try after /);
    await failureOf(activate(world.host, { backend: world.backend, ...b }, world.options()));
    const exhausted = await convergeServing(world.host, world.backend, b, world.options());
    expect(exhausted.decision.obstacle?.reason).toContain("failed 2 times, no more tries");
    expect(await world.served()).toEqual(["a"]);
    const mended = await world.model("b", {});
    expect((await convergeServing(world.host, world.backend, mended, world.options())).result?.outcome).toBe("switched");
  });

  it("F17 ends a crash loop: a server that dies soon after it was proven is started again at most maxAttempts times", async () => {
    const activation = { startTimeout: 20_000, stopTimeout: 2_000, rollback: true, smokeTest: true, maxAttempts: 2 };
    const world = await worlds.serving({ backend: { activation } });
    const a = await world.model("a");
    const killEngine = async (): Promise<void> => {
      const leader = (await world.record())?.committed?.leader;
      const engine = world.ours().find((candidate) => candidate.pid !== leader?.pid);
      if (leader === undefined || engine === undefined) throw new Error("a server and its engine run");
      process.kill(engine.pid, "SIGKILL");
      // Like vLLM, the server ends with code 0 when its engine is dead: an end that nobody asked for, and a failure.
      await until(() => !world.host.processes.isAlive(leader));
      expect(await world.host.processes.exitOf(leader)).toEqual({ code: 0 });
    };
    await killEngine();
    expect((await convergeServing(world.host, world.backend, a, world.options())).result?.outcome).toBe("switched");
    await killEngine();
    const { decision } = await convergeServing(world.host, world.backend, a, world.options());
    expect(decision.step).toBeUndefined();
    expect(decision.obstacle?.reason).toContain("starting a on gpu failed 2 times, no more tries: it ended by itself soon after it was proven");
    await activate(world.host, { backend: world.backend, ...a, force: true }, world.options());
    expect(await world.served()).toEqual(["a"]);
  });

  it("F17 does not take the answers of a stranger for those of its own server", async () => {
    const world = await worlds.open();
    const b = await world.model("b", { FAKE_VLLM_IMPORT_MS: "60000" });
    const running = failureOf(activate(world.host, { backend: world.backend, ...b }, world.options()));
    await until(async () => (await world.record())?.pending?.phase === "loading");
    const pid = await worlds.stranger(world, "b");
    expect((await running).message).toContain(`port ${world.port} is answered by pid ${pid}`);
    expect(world.ours()).toEqual([]);
  });
});
