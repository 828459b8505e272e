import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createInstanceLock } from "../../../src/adapters/sqlite/instance-lock.ts";
import { createStateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { emptyMemory } from "../../../src/domain/inventory.ts";
import { canInject, ended, runInjected, startProgram } from "../filesystem/child.ts";
import { canMount, useSmallMounts } from "../filesystem/small-mount.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const program = new URL("./program.ts", import.meta.url);
const clock = { now: () => "2026-11-21T10:00:00.000Z" };

function remount(folder: string, access: "ro" | "rw"): void {
  expect(spawnSync("mount", ["-o", `remount,${access}`, folder]).status).toBe(0);
}

/** Takes every byte that is left. */
function fillUp(path: string): void {
  for (const size of [4096, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: "a" });
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
}

describe("state and kill -9", () => {
  const workspace = useWorkspace();

  it("loses nothing that was committed, and nothing is half done, over 50 kills", async () => {
    const folder = await workspace();
    let promised = 0;
    for (let kill = 0; kill < 50; kill += 1) {
      const child = startProgram(program, ["commit-for-ever", folder, String(promised + 1)]);
      const end = ended(child);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      await wait(Math.random() * 10);
      child.kill("SIGKILL");
      const { stdout, stderr } = await end;
      expect(stderr).toBe("");
      promised = Number(stdout.slice(0, stdout.lastIndexOf("\n")).split("\n").at(-1));
    }
    const warnings: string[] = [];
    const { stateStore } = createStateStore({ path: join(folder, "state.db"), clock, warn: (message) => warnings.push(message) });
    const { discovered, verifications } = await stateStore.load();
    stateStore.close();
    const names = new Set(discovered.map(({ name }) => name));
    for (let number = 1; number <= promised; number += 1) expect(names).toContain(`model-${number}`);
    expect(verifications.map(({ name }) => name).toSorted()).toEqual([...names].toSorted());
    expect(warnings).toEqual([]);
  });
});

describe.skipIf(!canInject())("state when the system fails (needs strace)", () => {
  const workspace = useWorkspace();

  it.each([
    ["F06", "fsync:error=EIO:when=1+", "unexpected"],
    ["F05", "pwrite64:error=ENOSPC:when=1+", "disk-full"],
  ])("%s: with %s a commit fails, and what was there before still is", async (_, inject, code) => {
    const folder = await workspace();
    const path = join(folder, "state.db");
    const before = createStateStore({ path, clock });
    await before.stateStore.commit([{ kind: "discover", model: { store: "huggingface", ref: "old", name: "old", firstSeen: "x" } }]);
    before.stateStore.close();
    const result = await runInjected(inject, program, ["commit-once", folder, "new"]);
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(result.stdout)).toMatchObject({ code, message: expect.stringContaining(path) });
    const after = createStateStore({ path, clock });
    expect((await after.stateStore.load()).discovered.map(({ name }) => name)).toContain("old");
    after.stateStore.close();
  });
});

describe.skipIf(!canMount())("state on a full file system (needs the right to mount a tmpfs)", () => {
  const mountSmall = useSmallMounts();

  it("F05 disk-full: a lock that could not be taken leaves nothing half written, and is free again", async () => {
    const folder = mountSmall("64k");
    const lock = createInstanceLock({ directory: folder });
    (await lock.acquire("reconcile"))();
    fillUp(join(folder, "ballast"));
    await expect(lock.acquire("reconcile")).rejects.toMatchObject({ failure: { code: "disk-full", remedy: expect.any(String) } });
    expect((await readdir(folder)).toSorted()).toEqual(["ballast", "lock.db"]);
    await rm(join(folder, "ballast"));
    (await lock.acquire("reconcile"))();
  });

  it.each(["closed", "left by a killed writer"])("on a read-only mount what a database (%s) holds can be read, only writing fails", async (how) => {
    const folder = mountSmall("4m");
    const path = join(folder, "state.db");
    const item = { store: "huggingface", ref: "known", name: "known", firstSeen: "x" } as const;
    const file = { device: "1", inode: "1", size: 1, mtimeNs: "1", ctimeNs: "1" };
    const run = { id: "r", startedAt: "s", endedAt: "e", command: "c", revision: "v", exitCode: 0 };
    const before = createStateStore({ path, clock });
    await before.stateStore.commit([{ kind: "discover", model: item }]);
    await before.stateStore.remember("show", new Map([["a", "b"]]));
    await before.stateStore.recordRun(run);
    before.hashCache.remember([{ file, sha256: "s", at: "t" }]);
    before.stateStore.close();
    (await createInstanceLock({ directory: folder }).acquire("reconcile"))();
    if (how !== "closed") {
      const child = startProgram(program, ["commit-for-ever", folder, "1"]);
      const end = ended(child);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      child.kill("SIGKILL");
      await end;
    }
    const files = await readdir(folder);
    expect(files.includes("state.db-wal")).toBe(how !== "closed");
    remount(folder, "ro");
    const { stateStore, hashCache } = createStateStore({ path, clock });
    const refused = { failure: { code: "permission", message: expect.stringContaining(path), remedy: expect.stringContaining("paths.state") } };
    const names = (await stateStore.load()).discovered.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(how === "closed" ? ["known"] : ["known", "model-1"]));
    expect(await stateStore.remembered("show", ["a"])).toEqual(new Map([["a", "b"]]));
    expect(await stateStore.runs(5)).toEqual([run]);
    expect(hashCache.lookup([file])).toEqual([{ sha256: "s", at: "t" }]);
    await stateStore.remember("show", new Map([["c", "d"]]));
    hashCache.remember([{ file, sha256: "other", at: "t" }]);
    await expect(stateStore.commit([{ kind: "undiscover", ...item }])).rejects.toMatchObject(refused);
    await expect(stateStore.recordRun(run)).rejects.toMatchObject(refused);
    const refusedLock = { failure: { code: "permission", message: expect.stringContaining(folder), remedy: expect.any(String) } };
    await expect(createInstanceLock({ directory: folder }).acquire("reconcile")).rejects.toMatchObject(refusedLock);
    expect((await stateStore.load()).discovered.map(({ name }) => name)).toEqual(names);
    expect(await readdir(folder)).toEqual(files);
    remount(folder, "rw");
    await stateStore.commit([{ kind: "undiscover", ...item }]);
    expect((await stateStore.load()).discovered.map(({ name }) => name)).not.toContain("known");
    stateStore.close();
  });

  it("on a read-only mount without a database the memory is empty", async () => {
    const folder = mountSmall("1m");
    remount(folder, "ro");
    const { stateStore } = createStateStore({ path: join(folder, "state", "state.db"), clock });
    expect(await stateStore.load()).toEqual(emptyMemory);
    await expect(stateStore.commit([{ kind: "unsuspect", store: "huggingface" }])).rejects.toMatchObject({ failure: { code: "permission" } });
    stateStore.close();
  });

  it("F05 disk-full: what was committed stays, and it works again when there is space", async () => {
    const folder = mountSmall("1m");
    const { stateStore } = createStateStore({ path: join(folder, "state.db"), clock });
    await stateStore.remember("show", new Map([["small", "kept"]]));
    await writeFile(join(folder, "ballast"), "");
    const big = new Map([["big", "x".repeat(2 * 1024 * 1024)]]);
    await expect(stateStore.remember("show", big)).rejects.toMatchObject({
      failure: { code: "disk-full", message: expect.stringContaining(folder) },
    });
    expect(await stateStore.remembered("show", ["small", "big"])).toEqual(new Map([["small", "kept"]]));
    await rm(join(folder, "ballast"));
    await stateStore.remember("show", new Map([["later", "too"]]));
    expect(await stateStore.remembered("show", ["small", "later"])).toEqual(
      new Map([
        ["small", "kept"],
        ["later", "too"],
      ]),
    );
    stateStore.close();
  });
});
