import { spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { activate, deactivate } from "../../../src/app/activation/activate.ts";
import { placeOf, recordPath } from "../../../src/app/activation/activation-host.ts";
import { convergeServing } from "./converge-serving.ts";
import { currentActivation, type CurrentActivation } from "../../../src/app/activation/current.ts";
import { useWorkspace } from "../../adapters/filesystem/workspace.ts";
import { servingWorld, type ServingWorld } from "./activation-world.ts";

const workspace = useWorkspace();
const worlds: ServingWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function open(): Promise<ServingWorld> {
  const world = await servingWorld(await workspace());
  worlds.push(world);
  return world;
}

async function serving(): Promise<ServingWorld> {
  const world = await open();
  await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
  return world;
}

/** The same project as a process sees it that has started nothing. */
async function currentFromElsewhere(world: ServingWorld): Promise<CurrentActivation> {
  const other = await servingWorld(world.root, { port: world.port });
  return currentActivation(other.host, placeOf(world.backend, world.stateFile), new AbortController().signal);
}

async function write(world: ServingWorld, text: string): Promise<void> {
  await mkdir(dirname(world.stateFile), { recursive: true });
  await writeFile(world.stateFile, text);
}

const written = { logical_name: "a", served_model_id: "a", port: 24001, pid: 1, started_at: 1_700_000_000.5 };

describe("the current model", () => {
  it("S1.47 S1.86 is told by any process, not only by the one that started it, and looking changes nothing", async () => {
    const world = await serving();
    const before = await readFile(world.stateFile, "utf8");
    const current = await currentFromElsewhere(world);
    expect(current).toMatchObject({ state: "serving", active: { logical_name: "a", served_model_id: "a", port: world.port }, notes: [] });
    expect(await readFile(world.stateFile, "utf8")).toBe(before);
    expect(current.active).toEqual(JSON.parse(before));
  });

  it("S1.47 is none where nothing was ever started", async () => {
    const current = await currentFromElsewhere(await open());
    expect(current).toMatchObject({ state: "stopped", notes: [] });
    expect(current.active).toBeUndefined();
  });

  it.each([
    ["invalid JSON", "{ not json", /cannot be used: it is not a JSON object; it is left as it is/],
    ["a list", "[]", /logical_name is missing/],
    ["an empty field", JSON.stringify({ ...written, served_model_id: "" }), /served_model_id is missing/],
    ["a port that is no number", JSON.stringify({ ...written, port: "24001" }), /port is missing or not a positive number/],
    ["a negative time", JSON.stringify({ ...written, started_at: -1 }), /started_at is missing/],
    ["a dead pid", JSON.stringify({ ...written, pid: 4_000_000 }), /names pid 4000000, which is not running/],
    ["a reused pid", JSON.stringify({ ...written, pid: process.pid }), /which is another process by now/],
  ])("S1.47 is not taken from a state file with %s, which is reported and kept", async (_, text, note) => {
    const world = await open();
    await write(world, text);
    const current = await currentFromElsewhere(world);
    expect(current.state).toBe("stopped");
    expect(current.active).toBeUndefined();
    expect(current.notes.join("\n")).toMatch(note);
    expect(await readFile(world.stateFile, "utf8")).toBe(text);
  });

  it("S1.47 S1.86 is a server that ImageWorks started, as long as its process lives", async () => {
    const world = await open();
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    const theirs = { ...written, port: world.port, pid: child.pid ?? 0, started_at: Date.now() / 1000 + 1 };
    await write(world, JSON.stringify(theirs));
    const server = spawn(process.execPath, ["-e", `require("net").createServer().listen(${world.port}, "127.0.0.1")`], { stdio: "ignore" });
    for (let round = 0; round < 300 && !world.host.processes.holdersOf(world.port).listening; round += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await currentFromElsewhere(world)).toMatchObject({ state: "foreign", active: theirs });
    server.kill();
    child.kill();
  });

  it("S1.47 says that a server lives and does not answer", async () => {
    const world = await serving();
    const record = await world.record();
    process.kill(record?.committed?.leader.pid ?? 0, "SIGSTOP");
    expect(await currentFromElsewhere(world)).toMatchObject({ state: "silent", active: { logical_name: "a" } });
    process.kill(record?.committed?.leader.pid ?? 0, "SIGCONT");
  });

  it("S1.47 says that it is being started", async () => {
    const world = await open();
    const gate = join(world.root, "gate");
    const a = await world.model("a", { FAKE_VLLM_GATE: gate });
    const running = activate(world.host, { backend: world.backend, ...a }, world.options());
    for (let round = 0; round < 300 && world.ours().length === 0; round += 1) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await currentFromElsewhere(world)).toMatchObject({ state: "loading" });
    await writeFile(gate, "");
    await running;
  });
});

describe("what is written goes astray", () => {
  it.each([
    ["deleted", (path: string) => rm(path)],
    ["damaged", (path: string) => writeFile(path, "{")],
    ["overwritten with a dead pid", (path: string) => writeFile(path, JSON.stringify({ ...written, pid: 4_000_000 }))],
  ])("S1.11 the state file is written again when it was %s, and the server is not touched", async (_, harm) => {
    const world = await serving();
    const before = await readFile(world.stateFile, "utf8");
    await harm(world.stateFile);
    const { result } = await convergeServing(world.host, world.backend, await world.model("a"), world.options());
    expect(result?.outcome).toBe("unchanged");
    expect(await readFile(world.stateFile, "utf8")).toBe(before);
    expect((await convergeServing(world.host, world.backend, await world.model("a"), world.options())).decision).toEqual({});
  });

  it.each([
    ["deleted", (path: string) => rm(path)],
    ["damaged", (path: string) => writeFile(path, '{"formatVersion":"1.0","backend":5}')],
    ["written by a later version", (path: string) => writeFile(path, '{"formatVersion":"9.0"}')],
  ])("S1.11 the record is made again when it was %s: the processes tell what they run", async (_, harm) => {
    const world = await serving();
    const before = await world.record();
    await harm(recordPath(world.host.paths, "gpu"));
    const { result, decision } = await convergeServing(world.host, world.backend, await world.model("a"), world.options());
    expect(decision.step?.reason).toContain("is not recorded any more");
    expect(result?.outcome).toBe("unchanged");
    expect(result?.activated.leader).toEqual(before?.committed?.leader);
    expect((await world.record())?.committed?.leader).toEqual(before?.committed?.leader);
  });

  it("S1.46 a server whose record is lost is found and stopped", async () => {
    const world = await serving();
    await rm(recordPath(world.host.paths, "gpu"));
    const { decision } = await convergeServing(world.host, world.backend, undefined, world.options());
    expect(decision.step?.verb).toBe("deactivate");
    expect(world.ours()).toEqual([]);
  });

  it("a state file of a live server that is not ours survives a stop of ours", async () => {
    const world = await serving();
    const child = spawn("sleep", ["60.5"], { stdio: "ignore" });
    const theirs = JSON.stringify({ ...written, served_model_id: "60.5", pid: child.pid ?? 0 });
    await write(world, theirs);
    await deactivate(world.host, { ...placeOf(world.backend, world.stateFile), adopt: false }, world.options());
    expect(await readFile(world.stateFile, "utf8")).toBe(theirs);
    child.kill();
  });
});

describe("hostile input", () => {
  const hostile = ["$(touch pwned)", "`id`", "a;b|c&d", 'it\'s "quoted"', "line\nbreak", "-rf", "--config=x", "*", "~", "\\", "ünïcödé ✓", ""];

  it("SEC-17 reaches the engine byte for byte: no shell in between", async () => {
    const world = await open();
    const dump = join(world.root, "dump.json");
    const args = hostile.flatMap((text) => ["--hf-overrides", text]);
    const a = await world.model(
      "a",
      { FAKE_VLLM_DUMP: dump, HOSTILE: hostile.join("|") },
      { servedModelId: "$(id);'\"\n`x`", launch: { args, env: { FAKE_VLLM_DUMP: dump, HOSTILE: hostile.join("|") } } },
    );
    await activate(world.host, { backend: world.backend, ...a }, world.options());
    const got: { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>>; readonly folder: string } = JSON.parse(
      await readFile(dump, "utf8"),
    );
    expect(got.argv).toEqual([
      "serve",
      join(world.root, "models", "a"),
      "--host",
      "127.0.0.1",
      "--port",
      String(world.port),
      "--served-model-name",
      "$(id);'\"\n`x`",
      ...args,
    ]);
    expect(got.env["HOSTILE"]).toBe(hostile.join("|"));
    expect(await world.served()).toEqual(["$(id);'\"\n`x`"]);
  });

  it.each([
    ["a served id that starts with a dash", { servedModelId: "--port" }, /starts with a dash/],
    ["a chat template that starts with a dash", { launch: { args: [], env: {}, chatTemplate: "-x" } }, /starts with a dash/],
    ["an argument with NUL", { launch: { args: ["a\0b"], env: {} } }, /NUL/],
    ["an argument that Holdfast sets itself", { launch: { args: ["--port=1"], env: {} } }, /launch.args sets --port/],
    ["the marker variable", { launch: { args: [], env: { HOLDFAST_INSTANCE_ID: "x" } } }, /HOLDFAST_INSTANCE_ID/],
  ])("SEC-17 refuses %s before anything runs", async (_, changes, message) => {
    const world = await open();
    await expect(activate(world.host, { backend: world.backend, ...(await world.model("a", {}, changes)) }, world.options())).rejects.toThrow(
      message,
    );
    expect(world.ours()).toEqual([]);
  });

  it("SEC-18 gives the engine an allow-listed environment, the declared variables, and the marker", async () => {
    const root = await workspace();
    const world = await servingWorld(root, {
      env: {
        HOME: "/home/of-host",
        HF_TOKEN: "hf_secret",
        LD_PRELOAD: "",
        NODE_OPTIONS: "",
        GIT_DIR: "/x",
        AWS_SECRET_ACCESS_KEY: "s",
        CUDA_VISIBLE_DEVICES: "0",
      },
    });
    worlds.push(world);
    const dump = join(world.root, "dump.json");
    await activate(world.host, { backend: world.backend, ...(await world.model("a", { FAKE_VLLM_DUMP: dump, DECLARED: "yes" })) }, world.options());
    const { env }: { readonly env: Readonly<Record<string, string>> } = JSON.parse(await readFile(dump, "utf8"));
    for (const name of ["HF_TOKEN", "LD_PRELOAD", "NODE_OPTIONS", "GIT_DIR", "AWS_SECRET_ACCESS_KEY"]) expect(env).not.toHaveProperty(name);
    expect(env).toMatchObject({ HOME: "/home/of-host", CUDA_VISIBLE_DEVICES: "0", DECLARED: "yes", HF_HUB_OFFLINE: "1", SPT_NOENV: "1" });
    expect(env["HOLDFAST_INSTANCE_ID"]).toBe((await world.record())?.committed?.instance);
  });
});
