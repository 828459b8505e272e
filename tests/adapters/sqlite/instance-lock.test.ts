import { readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createInstanceLock } from "../../../src/adapters/sqlite/instance-lock.ts";
import { networkFileSystem } from "../../../src/adapters/sqlite/network-file-system.ts";
import { ended, startProgram } from "../filesystem/child.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const program = new URL("./program.ts", import.meta.url);

describe("instance lock", () => {
  const workspace = useWorkspace();

  it("is held once, also within a process, and can be taken again after its release", async () => {
    const directory = join(await workspace(), "state");
    const [first, second] = [createInstanceLock({ directory }), createInstanceLock({ directory })];
    const release = await first.acquire("reconcile");
    for (const lock of [first, second])
      await expect(lock.acquire("daemon")).rejects.toMatchObject({ failure: { code: "conflict", retry: "transient" } });
    release();
    release();
    const releaseSecond = await second.acquire("daemon");
    release();
    await expect(first.acquire("reconcile")).rejects.toMatchObject({ failure: { code: "conflict" } });
    releaseSecond();
    expect(await readdir(directory)).toEqual(["lock.db"]);
  });

  it("still keeps other processes out after a second attempt of the same process", async () => {
    const directory = await workspace();
    const release = await createInstanceLock({ directory }).acquire("reconcile");
    await expect(createInstanceLock({ directory }).acquire("drift")).rejects.toMatchObject({ failure: { code: "conflict" } });
    const { stdout, stderr } = await ended(startProgram(program, ["contend", directory, "1"]));
    expect({ stdout, stderr }).toEqual({ stdout: `{"held":0,"refused":1,"violations":0}\n`, stderr: "" });
    release();
  });

  it("F14 names the holder's pid, host, operation and since, and goes to the next one at once when the holder is killed", async () => {
    const directory = await workspace();
    const child = startProgram(program, ["hold-lock", directory, "reconcile --all"]);
    const end = ended(child);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    const lock = createInstanceLock({ directory });
    const error: unknown = await lock.acquire("drift").catch((thrown: unknown) => thrown);
    const message = new RegExp(`reconcile --all .*pid ${child.pid} on ${hostname()}, since \\d{4}-\\d\\d-\\d\\dT`);
    expect(error).toMatchObject({ failure: { code: "conflict", message: expect.stringMatching(message) } });
    child.kill("SIGKILL");
    await end;
    const release = await lock.acquire("drift");
    release();
  });

  it("does not blame a dead holder whose name was left behind", async () => {
    const directory = await workspace();
    const release = await createInstanceLock({ directory }).acquire("reconcile");
    const dead = startProgram(program, ["none"]);
    await ended(dead);
    await writeFile(join(directory, "lock.json"), JSON.stringify({ pid: dead.pid, host: hostname(), operation: "gone", since: "long ago" }));
    const error: unknown = await createInstanceLock({ directory })
      .acquire("drift")
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ failure: { code: "conflict", message: expect.not.stringContaining("gone") } });
    release();
  });

  it("F14 never has two holders in 200 attempts by four processes", async () => {
    const directory = await workspace();
    const children = Array.from({ length: 4 }, () => ended(startProgram(program, ["contend", directory, "50"])));
    const results = await Promise.all(children);
    expect(results.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(4).fill({ code: 0, stderr: "" }));
    const counts = results.map(({ stdout }): { held: number; refused: number; violations: number } => JSON.parse(stdout));
    const total = (key: "held" | "refused" | "violations"): number => counts.reduce((sum, count) => sum + count[key], 0);
    expect(total("held") + total("refused")).toBe(200);
    expect(total("violations")).toBe(0);
    expect(total("held")).toBeGreaterThan(0);
    expect(total("refused")).toBeGreaterThan(0);
  });

  it("says clearly that a lock file is broken", async () => {
    const directory = await workspace();
    await writeFile(join(directory, "lock.db"), "garbage".repeat(1_000));
    const refusal = expect(createInstanceLock({ directory }).acquire("reconcile")).rejects;
    await refusal.toMatchObject({ failure: { code: "unexpected", message: expect.stringContaining(directory) } });
  });

  it("knows network file systems by their type, signed or not, and only on Linux", () => {
    expect(networkFileSystem(0x6969, "linux")).toBe("NFS");
    expect(networkFileSystem(0xff534d42, "linux")).toBe("CIFS");
    expect(networkFileSystem(0xff534d42 | 0, "linux")).toBe("CIFS");
    expect([0xef53, 0x01021994, 0x9123683e, 0x58465342, 0x794c7630].map((local) => networkFileSystem(local, "linux"))).toEqual(
      Array(5).fill(undefined),
    );
    expect(networkFileSystem(0x6969, "darwin")).toBeUndefined();
  });
});
