import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { activate } from "../../src/app/activate.ts";
import { currentActivation } from "../../src/app/current-activation.ts";
import { convergeServing, placeOf } from "../../src/app/converge-serving.ts";
import { HoldfastError, type Failure } from "../../src/domain/failure.ts";
import { sha256 } from "../../src/domain/digest.ts";
import { useWorkspace } from "../adapters/filesystem/workspace.ts";
import { servingWorld, standInCommand, type ServingWorld, type WorldOptions } from "./activation-world.ts";

const workspace = useWorkspace();
const worlds: ServingWorld[] = [];
const strangers: (() => void)[] = [];
afterEach(async () => {
  for (const stop of strangers.splice(0)) stop();
  for (const world of worlds.splice(0)) await world.close();
});

async function open(options: WorldOptions = {}): Promise<ServingWorld> {
  const world = await servingWorld(await workspace(), options);
  worlds.push(world);
  return world;
}

/** A world in which `a` serves. */
async function serving(options: WorldOptions = {}): Promise<ServingWorld> {
  const world = await open(options);
  await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
  return world;
}

async function failureOf(attempt: Promise<unknown>): Promise<Failure> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof HoldfastError) return error.failure;
    throw error;
  }
  throw new Error("it did not fail");
}

/** A server that somebody else started, on the port of the world. */
async function startStranger(world: ServingWorld, model: string, extra: readonly string[] = []): Promise<number> {
  const [program = "", ...args] = standInCommand;
  const dir = join(world.root, "models", model);
  await mkdir(dir, { recursive: true });
  const child = spawn(program, [...args, "serve", dir, "--port", String(world.port), "--served-model-name", model, ...extra], {
    detached: true,
    stdio: "ignore",
    env: { PATH: process.env["PATH"] },
  });
  const { pid = 0 } = child;
  strangers.push(() => {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Stopped by the test.
    }
  });
  return pid;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 500; round += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it never came true");
}

describe("a start that fails", () => {
  const crash = { FAKE_VLLM_CRASH: "ValueError: No available memory for the cache blocks", FAKE_VLLM_CRASH_CODE: "1" };

  it("F17 puts the previous model back, proves it, and says why with the last lines of the log", async () => {
    const world = await serving();
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
    const world = await serving();
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
    ["never gets healthy", { FAKE_VLLM_LOAD_MS: "60000" }, "it was not healthy after 1 s (nothing listens)"],
    [
      "ignores SIGTERM while it loads and never gets healthy",
      { FAKE_VLLM_LOAD_MS: "60000", FAKE_VLLM_IGNORE_TERM: "load" },
      "it was not healthy after 1 s",
    ],
    ["takes connections and never answers", { FAKE_VLLM_HANG: "1" }, "it was not healthy after 1 s (GET /v1/models: no answer"],
    ["hides its worker from the marker", { FAKE_VLLM_ENGINE: "unmarked", FAKE_VLLM_SERVED_ID: "wrong" }, "serves wrong instead of b"],
  ])("F17 a server that %s is stopped and the previous one put back", async (_, switches, reason) => {
    const world = await serving({
      backend: { activation: { startTimeout: 1_000, stopTimeout: 2_000, rollback: true, smokeTest: true, maxAttempts: 3 } },
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
    const world = await serving({
      backend: { activation: { startTimeout: 20_000, stopTimeout: 2_000, rollback: false, smokeTest: true, maxAttempts: 3 } },
    });
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b", crash)) }, world.options()));
    expect(failure.message).toContain("activation.rollback is false");
    expect(world.ours()).toEqual([]);
  });

  it("F17 says both reasons when the previous model cannot be put back either", async () => {
    const world = await serving();
    const b = await world.model("b", crash);
    await rm(join(world.root, "models", "a"), { recursive: true });
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...b }, world.options()));
    expect(failure.message).toContain("No available memory");
    expect(failure.message).toMatch(/a could not be put back \(.*is not in directory any more\), nothing serves/);
    expect((await world.record())?.condition).toMatchObject({ status: "False", reason: "RollbackFailed" });
    expect(world.ours()).toEqual([]);
  });

  it("F17 stops trying after maxAttempts and backs off while the previous model serves; a person can ask again", async () => {
    const world = await serving({
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
});

describe("pre-flight touches nothing", () => {
  async function refused(world: ServingWorld, attempt: () => Promise<unknown>): Promise<Failure> {
    const before = await world.record();
    const failure = await failureOf(attempt());
    expect(await world.served()).toEqual(["a"]);
    expect(await world.record()).toEqual(before);
    return failure;
  }

  it("refuses a launch command that does not exist or may not be run", async () => {
    const world = await serving();
    const b = await world.model("b");
    const absent = { ...world.backend, launch: { command: ["no-such-vllm"], env: {} } };
    expect(await refused(world, () => activate(world.host, { backend: absent, ...b }, world.options()))).toMatchObject({
      code: "not-found",
      message: expect.stringContaining("no-such-vllm"),
    });
    const script = join(world.root, "not-executable");
    await writeFile(script, "");
    const plain = { ...world.backend, launch: { command: [script], env: {} } };
    expect(await refused(world, () => activate(world.host, { backend: plain, ...b }, world.options()))).toMatchObject({ code: "permission" });
  });

  it("refuses a chat template that is not there", async () => {
    const world = await serving();
    const b = await world.model("b", {}, { launch: { args: [], env: {}, chatTemplate: "/nowhere/template.jinja" } });
    expect(await refused(world, () => activate(world.host, { backend: world.backend, ...b }, world.options()))).toMatchObject({
      code: "not-found",
      message: expect.stringContaining("/nowhere/template.jinja"),
    });
  });

  it("never starts a model whose files fail verification", async () => {
    const world = await serving();
    const b = await world.model("b");
    const config = sha256(JSON.stringify({ name: "b" }));
    const artifacts = [{ path: "config.json", size: 12, sha256: config.replace(/^./, "0") }];
    const lock = { name: "b", source: { kind: "path" }, artifacts, contentDigest: "d", aggregateSha256: "g" } as const;
    expect(await refused(world, () => activate(world.host, { backend: world.backend, ...b, lock }, world.options()))).toMatchObject({
      code: "integrity",
      message: expect.stringContaining("b is not started: config.json has wrong bytes"),
    });
    await rm(join(world.root, "models", "b"), { recursive: true });
    expect(await refused(world, () => activate(world.host, { backend: world.backend, ...b }, world.options()))).toMatchObject({
      code: "precondition",
    });
  });

  it("refuses an address that is not on this machine", async () => {
    const world = await serving();
    const elsewhere = { ...world.backend, url: `http://192.0.2.1:${world.port}` };
    expect(
      await refused(world, async () => activate(world.host, { backend: elsewhere, ...(await world.model("b")) }, world.options())),
    ).toMatchObject({ code: "unsupported" });
  });

  it("S1.79 refuses a GPU that somebody else has filled, and counts what its own server will free", async () => {
    const root = await workspace();
    const bin = join(root, "bin");
    await mkdir(bin);
    const fill = async (uses: string): Promise<void> => {
      await writeFile(join(bin, "nvidia-smi"), `#!/bin/sh\ncase "$1" in *query-gpu*) echo "0, 22000, 24000";; *) ${uses};; esac\n`);
      await chmod(join(bin, "nvidia-smi"), 0o755);
    };
    const world = await servingWorld(root, { env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` } });
    worlds.push(world);
    const a = await world.model("a", {}, { launch: { args: ["--gpu-memory-utilization", "0.05"], env: {} } });
    await fill("true");
    const { activated } = await activate(world.host, { backend: world.backend, ...a }, world.options());
    await fill('echo "4242, 21000"');
    const failure = await refused(world, async () => activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options()));
    expect(failure).toMatchObject({
      code: "conflict",
      retry: "transient",
      message: expect.stringContaining("the GPU is busy: b needs 92 % of a GPU; GPU 0: 2000 of 24000 MiB free; pid 4242 has 21000 MiB"),
    });
    await fill(`echo "${activated.leader.pid}, 21000"`);
    await activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options());
    expect(await world.served()).toEqual(["b"]);
  });

  it("lets one switch at a time happen on a port", async () => {
    const world = await serving();
    const release = await world.host.processes.lockPort(world.port);
    expect(
      await refused(world, async () => activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options())),
    ).toMatchObject({ code: "conflict", retry: "transient" });
    release();
  });
});

describe("a stranger on the port", () => {
  it("is left alone and named, also while it only loads and nothing listens yet", async () => {
    const world = await open();
    const pid = await startStranger(world, "theirs");
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
    const loading = await open();
    await startStranger(loading, "theirs", ["--dtype", "auto"]);
    await until(() => loading.host.processes.holdersOf(loading.port).holders.length > 0);
    expect(await failureOf(activate(loading.host, { backend: loading.backend, ...(await loading.model("b")) }, loading.options()))).toMatchObject({
      code: "conflict",
    });
  });

  it("is in order when it serves exactly the declared model", async () => {
    const world = await open();
    const b = await world.model("b");
    await startStranger(world, "b");
    await until(async () => (await world.served()).length > 0);
    expect((await convergeServing(world.host, world.backend, b, world.options())).decision).toEqual({});
  });

  it("S1.11 is stopped with its workers where the backend adopts it, and put back when the new one fails", async () => {
    const world = await open({ backend: { adopt: true } });
    const pid = await startStranger(world, "theirs");
    await until(async () => (await world.served()).length > 0);
    const before = world.host.processes.holdersOf(world.port).holders[0]?.pid;
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
    const world = await open();
    const server = createServer().listen(world.port, "127.0.0.1");
    await once(server, "listening");
    const failure = await failureOf(activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options()));
    expect(failure.message).toContain(`pid ${process.pid} `);
    server.close();
  });
});

function commandsOf(world: ServingWorld, part: string): readonly string[] {
  return world.ours().flatMap(({ command }) => (command.join(" ").includes(part) ? [command.join(" ")] : []));
}
