import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createStateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { canInject, ended, runInjected, startProgram } from "../filesystem/child.ts";
import { canMount, useSmallMounts } from "../filesystem/small-mount.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const program = new URL("./program.ts", import.meta.url);
const clock = { now: () => "2026-11-21T10:00:00.000Z" };

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
