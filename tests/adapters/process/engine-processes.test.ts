import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createEngineProcesses } from "../../../src/adapters/process/engine-processes.ts";
import { parseStat } from "../../../src/adapters/process/proc-table.ts";
import type { ProcessIdentity } from "../../../src/domain/activation/activation.ts";
import { HoldfastError } from "../../../src/domain/failure.ts";
import { freePort } from "../../app/activation/activation-world.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const workspace = useWorkspace();
const processes = createEngineProcesses({ env: { PATH: process.env["PATH"] } });
const scopes: string[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const scope of scopes.splice(0)) await processes.stop({ set: { kind: "marked", scope, leaders: [] }, timeout: 0 });
});

let scopesMade = 0;

/** Starts a shell script the way an engine is started. */
async function start(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly scope: string; readonly leader: ProcessIdentity; readonly folder: string }> {
  const folder = await workspace();
  const scope = `test-${process.pid}-${(scopesMade += 1)}`;
  scopes.push(scope);
  const { leader } = await processes.start({
    program: "/bin/sh",
    args: ["-c", script],
    env,
    folder,
    instance: processes.newInstance(scope),
    log: join(folder, "logs", "a.log"),
  });
  return { scope, leader, folder };
}

async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 500; round += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it never came true");
}

function own(child: ChildProcess): number {
  children.push(child);
  return child.pid ?? 0;
}

describe("starting", () => {
  it("S1.11 gives a session of its own, the folder, and a log that keeps the one before", async () => {
    const { leader, folder, scope } = await start("pwd; exec sleep 100");
    await until(() => processes.look(leader.pid)?.command[0] === "sleep");
    expect(processes.look(leader.pid)).toMatchObject({
      session: leader.pid,
      group: leader.pid,
      command: ["sleep", "100"],
      instance: expect.stringMatching(new RegExp(`^${scope}\\.`)),
    });
    const log = join(folder, "logs", "a.log");
    expect(await readFile(log, "utf8")).toBe(`# holdfast started ["/bin/sh","-c","pwd; exec sleep 100"]\n${folder}\n`);
    await processes.start({ program: "/bin/true", args: [], env: {}, folder, instance: processes.newInstance(scope), log });
    expect(await readFile(`${log}.1`, "utf8")).toContain("exec sleep 100");
  });

  it("tells how a program of its own ended, and that one which ended is not alive", async () => {
    const { leader } = await start("exit 7");
    await until(() => !processes.isAlive(leader));
    expect(await processes.exitOf(leader)).toEqual({ code: 7 });
    expect(processes.isAlive(leader)).toBe(false);
    const killed = await start("exec sleep 100");
    process.kill(killed.leader.pid, "SIGKILL");
    await until(() => !processes.isAlive(killed.leader));
    expect(await processes.exitOf(killed.leader)).toEqual({ signal: "SIGKILL" });
  });

  it("fails for a program that cannot be run", async () => {
    const folder = await workspace();
    const request = { program: join(folder, "absent"), args: [], env: {}, folder, instance: "x.y", log: join(folder, "a.log") };
    await expect(processes.start(request)).rejects.toThrow(HoldfastError);
  });

  it("looks programs up like a shell, and refuses what looks like an option", async () => {
    const folder = await workspace();
    await mkdir(join(folder, "bin"));
    await writeFile(join(folder, "bin", "tool"), "#!/bin/sh\n");
    const local = createEngineProcesses({ env: { PATH: `${join(folder, "none")}:${join(folder, "bin")}` } });
    await expect(local.resolveProgram("tool", folder)).rejects.toMatchObject({ failure: { code: "permission" } });
    await chmod(join(folder, "bin", "tool"), 0o755);
    expect(await local.resolveProgram("tool", folder)).toBe(join(folder, "bin", "tool"));
    expect(await local.resolveProgram("bin/tool", folder)).toBe(join(folder, "bin", "tool"));
    await expect(local.resolveProgram("bin", folder)).rejects.toMatchObject({ failure: { code: "not-found" } });
    await expect(local.resolveProgram("--tool", folder)).rejects.toMatchObject({ failure: { code: "invalid-input" } });
  });
});

describe("identity", () => {
  it("S1.47 is not that of another process with the same number, nor of a zombie", async () => {
    const { leader } = await start("exec sleep 100");
    expect(processes.isAlive(leader)).toBe(true);
    expect(processes.isAlive({ ...leader, started: `${leader.started}1` })).toBe(false);
    expect(processes.isAlive({ pid: 4_000_000, started: leader.started })).toBe(false);
    // A parent that does not wait for its child leaves a zombie.
    const parent = own(
      spawn(
        process.execPath,
        [
          "-e",
          'process.stdout.write(String(require("child_process").spawn("sleep", ["0.05"]).pid)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
        ],
        { stdio: ["ignore", "pipe", "ignore"] },
      ),
    );
    let zombie = 0;
    children.at(-1)?.stdout?.on("data", (data: Buffer) => (zombie = Number(data.toString())));
    await until(() => zombie > 0 && processes.look(zombie) === undefined);
    expect(process.kill(zombie, 0)).toBe(true);
    expect(processes.look(parent)).toBeDefined();
  });

  it("reads stat lines whose names hold spaces and parentheses", () => {
    const fields = "S 10 20 30 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 987654 0";
    expect(parseStat(`42 (a) b (c d)) ${fields}`)).toEqual({
      pid: 42,
      state: "S",
      parent: 10,
      group: 20,
      session: 30,
      threads: 3,
      startTicks: "987654",
    });
    expect(parseStat("")).toBeUndefined();
    expect(parseStat("nonsense")).toBeUndefined();
  });
});

describe("finding", () => {
  it("S1.11 finds every descendant by the marker, orphans and those in other sessions too", async () => {
    const { scope, leader } = await start("setsid sleep 101 & sleep 102 & sleep 0.1; exit 0");
    await until(() => !processes.isAlive(leader));
    const found = (): readonly string[] => processes.find({ kind: "marked", scope, leaders: [] }).map((member) => member.command.join(" "));
    await until(() => found().toSorted().join() === "sleep 101,sleep 102");
    expect(processes.find({ kind: "marked", scope: scope.slice(0, -1), leaders: [] })).toEqual([]);
  });

  it("S1.11 finds a worker that lost its marker by the session of its leader, alive or dead, and never one of another leader with that number", async () => {
    const { scope, leader } = await start("env -i sleep 103 & exec sleep 104");
    const set = { kind: "marked", scope, leaders: [leader] } as const;
    const commands = (): readonly string[] => processes.find(set).map((member) => member.command.join(" "));
    await until(() => commands().toSorted().join() === "sleep 103,sleep 104");
    expect(processes.find({ ...set, leaders: [] })).toHaveLength(1);
    expect(processes.find({ ...set, leaders: [{ ...leader, started: `${leader.started}9` }] })).toHaveLength(1);
    process.kill(leader.pid, "SIGKILL");
    await until(() => !processes.isAlive(leader));
    expect(commands()).toEqual(["sleep 103"]);
    expect(processes.find({ ...set, leaders: [{ ...leader, started: `other-boot:${leader.started.split(":")[1] ?? ""}` }] })).toEqual([]);
    expect(await processes.stop({ set, timeout: 1_000 })).toEqual([]);
  });

  it("leaves one instance out when asked", async () => {
    const first = await start("exec sleep 105");
    const [member] = processes.find({ kind: "marked", scope: first.scope, leaders: [] });
    expect(processes.find({ kind: "marked", scope: first.scope, leaders: [], except: member?.instance ?? "" })).toEqual([]);
  });
});

describe("stopping", () => {
  it("S1.46 lets the leader end the rest by itself first", async () => {
    const { scope, leader, folder } = await start(
      "trap 'echo asked; kill $!; exit 0' TERM; sh -c 'trap \"echo child asked\" TERM; sleep 106 & wait' & sleep 100 & wait",
    );
    await until(() => processes.find({ kind: "marked", scope, leaders: [] }).length >= 4);
    expect(await processes.stop({ set: { kind: "marked", scope, leaders: [leader] }, timeout: 2_000 })).toEqual([]);
    expect(await readFile(join(folder, "logs", "a.log"), "utf8")).toContain("asked");
    expect(processes.find({ kind: "marked", scope, leaders: [] })).toEqual([]);
  });

  it.each([
    ["with the leader known", true],
    ["by the marker alone", false],
  ])("S1.46 kills what ignores SIGTERM %s, children that are born meanwhile included", async (_, known) => {
    const { scope, leader } = await start("trap '' TERM; while :; do sleep 0.01; done");
    await until(() => processes.find({ kind: "marked", scope, leaders: [] }).length > 1);
    expect(await processes.stop({ set: { kind: "marked", scope, leaders: known ? [leader] : [] }, timeout: 200 })).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(processes.find({ kind: "marked", scope, leaders: [leader] })).toEqual([]);
  });

  it("S1.46 has nothing to do where nothing lives", async () => {
    expect(
      await processes.stop({ set: { kind: "marked", scope: "nobody", leaders: [{ pid: 4_000_000, started: "b:1" }] }, timeout: 60_000 }),
    ).toEqual([]);
  });

  it("stops a tree that somebody else started, and nothing beside it", async () => {
    const bystander = own(spawn("sleep", ["107"]));
    const root = own(spawn("sh", ["-c", "sleep 108 & sleep 109 & wait"]));
    await until(() => processes.look(root) !== undefined);
    const identity = processes.look(root);
    if (identity === undefined) throw new Error("gone");
    await until(() => processes.find({ kind: "trees", roots: [identity] }).length === 3);
    const tree = processes.find({ kind: "trees", roots: [identity] });
    expect(await processes.stop({ set: { kind: "trees", roots: [identity] }, timeout: 1_000 })).toEqual([]);
    expect(tree.filter((member) => processes.isAlive(member))).toEqual([]);
    expect(processes.look(bystander)).toBeDefined();
  });
});

describe("the port", () => {
  it("S1.11 shows who listens, by pid", async () => {
    const port = await freePort();
    expect(processes.holdersOf(port)).toEqual({ listening: false, listeners: [], told: [] });
    const pid = own(spawn(process.execPath, ["-e", `require("net").createServer().listen(${port}, "127.0.0.1")`]));
    await until(() => processes.holdersOf(port).listening);
    expect(processes.holdersOf(port).listeners.map((holder) => holder.pid)).toEqual([pid]);
  });

  it("S1.11 shows an engine that was told the port and does not listen yet, and no other program that mentions it", async () => {
    const port = await freePort();
    const engine = own(spawn("sh", ["-c", "sleep 110; :", "vllm", "serve", "--port", String(port)]));
    own(spawn("sh", ["-c", "sleep 111; :", "curl", "--port", String(port)]));
    const other = own(spawn("sh", ["-c", "sleep 112; :", "vllm", "serve", `--port=${port + 1}`]));
    await until(() => processes.look(other) !== undefined && processes.holdersOf(port).told.length > 0);
    expect(processes.holdersOf(port)).toMatchObject({ listening: false, listeners: [], told: [{ pid: engine }] });
    expect(processes.holdersOf(port + 1).told.map((holder) => holder.pid)).toEqual([other]);
  });

  it("S1.11 is locked by one at a time, and free again after kill -9 of the holder", async () => {
    const port = await freePort();
    const release = await processes.lockPort(port);
    await expect(processes.lockPort(port)).rejects.toMatchObject({ failure: { code: "conflict", retry: "transient" } });
    release();
    const module = new URL("../../../src/adapters/process/port-lock.ts", import.meta.url).href;
    const holder = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `const { lockPort } = await import(${JSON.stringify(module)}); await lockPort(${port}); console.log("held"); setInterval(() => {}, 1000)`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    own(holder);
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    await expect(processes.lockPort(port)).rejects.toMatchObject({ failure: { code: "conflict" } });
    holder.kill("SIGKILL");
    await new Promise((resolve) => holder.once("exit", resolve));
    (await processes.lockPort(port))();
  });

  it("knows the addresses of this machine", () => {
    expect(["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "::1"].filter((host) => !processes.isLocal(host))).toEqual([]);
    expect(["192.0.2.1", "example.org", "2001:db8::1"].filter((host) => processes.isLocal(host))).toEqual([]);
  });
});
