import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { canInject, ended, runInjected, startProgram } from "./child.ts";
import { canMount, useSmallMounts } from "./small-mount.ts";
import { useWorkspace } from "./workspace.ts";

const program = new URL("./write-program.ts", import.meta.url);
const newText = "new0".repeat(20_000);

describe.skipIf(!canInject())("durable writes when the system fails (needs strace)", () => {
  const workspace = useWorkspace();

  it.each([
    ["F06", "fsync:error=EIO:when=1", "unexpected", "EIO"],
    ["F05", "rename:error=ENOSPC:when=1", "disk-full", "ENOSPC"],
    ["F05", "fsync:error=EDQUOT:when=1", "disk-full", "EDQUOT"],
    ["permission loss", "rename:error=EACCES:when=1", "permission", "EACCES"],
    ["read-only file system", "rename:error=EROFS:when=1", "permission", "EROFS"],
  ])("%s: %s is the failure %s, the old file stays and nothing is left over", async (_, inject, code, errno) => {
    const folder = await workspace();
    const path = join(folder, "state.json");
    await writeFile(path, "old");
    const result = await runInjected(inject, program, [path, "new"]);
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(result.stdout)).toMatchObject({ code, message: expect.stringContaining(path) });
    expect(result.stdout).toContain(errno);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["state.json"]);
  });

  it("F06 reports a write as failed when the folder could not be synced", async () => {
    const folder = await workspace();
    const result = await runInjected("fsync:error=EIO:when=2", program, [join(folder, "state.json"), "new"]);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({ code: "unexpected", message: expect.stringContaining("EIO") });
  });

  it.each(["fchmod:signal=SIGKILL:when=1", "fsync:signal=SIGKILL:when=1", "rename:signal=SIGKILL:when=1", "fsync:signal=SIGKILL:when=2"])(
    "F02 killed exactly at %s: old or new, and the leftover is removed by the next start",
    async (inject) => {
      const folder = await workspace();
      const path = join(folder, "state.json");
      await writeFile(path, "old");
      const result = await runInjected(inject, program, [path, "new"]);
      expect([result.signal, result.code]).toEqual(["SIGKILL", null]);
      expect(["old", newText]).toContain(await readFile(path, "utf8"));
      const before = await readdir(folder);
      expect(await createDisk({ quarantineRoot: folder }).removeLeftovers(folder)).toBe(before.length - 1);
      expect(await readdir(folder)).toEqual(["state.json"]);
    },
  );
});

describe("durable writes and kill -9", () => {
  const workspace = useWorkspace();

  it("F02 leaves exactly one whole version after each of 20 kills at random moments", async () => {
    const folder = await workspace();
    const path = join(folder, "state.json");
    for (let kill = 0; kill < 20; kill += 1) {
      const child = startProgram(program, [path, `version-${kill}-`, "100000"]);
      const end = ended(child);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      await wait(Math.random() * 20);
      child.kill("SIGKILL");
      await end;
      const text = await readFile(path, "utf8");
      const [version = ""] = /^version-\d+-\d+?(?=version)/.exec(text) ?? [];
      expect(version).toMatch(`version-${kill}-`);
      expect(text === version.repeat(20_000)).toBe(true);
    }
    await createDisk({ quarantineRoot: folder }).removeLeftovers(folder);
    expect(await readdir(folder)).toEqual(["state.json"]);
  });
});

describe.skipIf(!canMount())("durable writes on a full file system (needs the right to mount a tmpfs)", () => {
  const mountSmall = useSmallMounts();

  it("F05 disk-full: the old file stays, nothing is left over, and it works again when there is space", async () => {
    const folder = mountSmall("2m");
    const disk = createDisk({ quarantineRoot: join(folder, "quarantine") });
    const path = join(folder, "registry.json");
    await disk.writeDurable(path, "old");
    const big = "x".repeat(3 * 1024 * 1024);
    await expect(disk.writeDurable(path, big)).rejects.toMatchObject({ failure: { code: "disk-full", message: expect.stringContaining(path) } });
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["registry.json"]);
    await disk.writeDurable(path, "new");
    expect(await readFile(path, "utf8")).toBe("new");
  });

  it("quarantines by copy across file systems, and moves nothing when the copy does not fit", async () => {
    const [small, other] = [mountSmall("1m"), mountSmall("4m")];
    await writeFile(join(other, "fits"), "bytes");
    await writeFile(join(other, "too big"), Buffer.alloc(2 * 1024 * 1024));
    const disk = createDisk({ quarantineRoot: small });
    const folder = await disk.quarantine([{ from: join(other, "fits"), as: "fits" }], {}, "move");
    expect(await readFile(join(folder, "files", "fits"), "utf8")).toBe("bytes");
    await expect(disk.quarantine([{ from: join(other, "too big"), as: "x" }], {}, "move")).rejects.toMatchObject({ failure: { code: "disk-full" } });
    expect(await readdir(other)).toEqual(["too big"]);
    expect(await readdir(small)).toHaveLength(1);
  });
});
