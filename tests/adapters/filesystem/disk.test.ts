import { mkdir, readdir, readFile, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { HoldfastError } from "../../../src/domain/failure.ts";
import { describeDisk } from "../../contracts/disk.ts";
import { ended, startProgram } from "./child.ts";
import { useWorkspace } from "./workspace.ts";

describeDisk("this machine", (quarantineRoot) => createDisk({ quarantineRoot }));

describe("unfinished writes", () => {
  const workspace = useWorkspace();

  it("F02 removes those of a dead process and leaves what is not ours", async () => {
    const root = await workspace();
    const disk = createDisk({ quarantineRoot: join(root, "quarantine") });
    const child = startProgram(new URL("./swap-program.ts", import.meta.url), [join(root, "no such folder")]);
    child.stdin?.end();
    const { pid } = child;
    await ended(child);
    const dead = disk.temporaryName(join(root, "x")).replace(`-${process.pid}-`, `-${pid}-`);
    await writeFile(dead, "half");
    await writeFile(join(root, ".holdfast-notes.tmp"), "mine");
    expect(await disk.removeLeftovers(root)).toBe(1);
    expect(await readdir(root)).toEqual([".holdfast-notes.tmp"]);
  });

  it("judges those of another boot or container by age, because their process id means nothing here", async () => {
    const root = await workspace();
    const disk = createDisk({ quarantineRoot: join(root, "quarantine") });
    const foreign = disk.temporaryName(join(root, "x")).replace(/-[0-9a-f]{12}-/, "-000000000000-");
    await writeFile(foreign, "half");
    expect(await disk.removeLeftovers(root)).toBe(0);
    const longAgo = new Date(Date.now() - 3 * 60 * 60 * 1000);
    await utimes(foreign, longAgo, longAgo);
    expect(await disk.removeLeftovers(root)).toBe(1);
  });
});

describe("SEC-03 symlink swap", () => {
  const workspace = useWorkspace();

  async function setUp(): Promise<{ models: string; canary: string; root: string }> {
    const root = await workspace();
    const [models, canary] = [join(root, "models", "repo"), join(root, "canary")];
    await mkdir(models, { recursive: true });
    await mkdir(canary);
    return { models, canary, root };
  }

  it.each(["writeDurable", "promote", "link"] as const)("refuses %s after the folder was swapped for a link out of the root", async (operation) => {
    const { models, canary, root } = await setUp();
    const disk = createDisk({ quarantineRoot: join(root, "quarantine") });
    const path = await disk.contained(join(root, "models"), "repo/deep/file");
    await mkdir(join(models, "deep"));
    const temporary = join(root, "models", "finished");
    await writeFile(temporary, "bytes");
    await rename(models, `${models}.real`);
    await symlink(canary, models);
    const operations = {
      writeDurable: () => disk.writeDurable(path, "bytes"),
      promote: () => disk.promote(temporary, path),
      link: () => disk.link("target", path),
    };
    await expect(operations[operation]()).rejects.toMatchObject({ failure: { code: "unsafe-path" } });
    expect(await readdir(canary)).toEqual([]);
  });

  it("never writes outside the root in 1,000 writes while another process swaps the folder", async () => {
    const { models, canary, root } = await setUp();
    const disk = createDisk({ quarantineRoot: join(root, "quarantine") });
    const child = startProgram(new URL("./swap-program.ts", import.meta.url), [models, canary]);
    const end = ended(child);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    const results = { written: 0, refused: 0 };
    for (let round = 0; round < 1_000; round += 1) {
      try {
        const path = await disk.contained(join(root, "models"), `repo/deep/file-${round % 7}`);
        if (round % 2 === 0) await disk.writeDurable(path, "bytes");
        else await disk.link("target", path);
        results.written += 1;
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        results.refused += 1;
      }
    }
    child.stdin?.end();
    expect(await end).toMatchObject({ code: 0, stderr: "" });
    expect(await readdir(canary)).toEqual([]);
    expect(results.written).toBeGreaterThan(0);
    expect(results.refused).toBeGreaterThan(0);
  });
});

describe("failures", () => {
  const workspace = useWorkspace();

  it("says what was attempted and keeps the cause", async () => {
    const root = await workspace();
    const disk = createDisk({ quarantineRoot: join(root, "quarantine") });
    await mkdir(join(root, "folder"));
    const error: unknown = await disk.writeDurable(join(root, "folder"), "text").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      failure: { code: "unexpected", message: expect.stringContaining(join(root, "folder")) },
      cause: { code: "EISDIR" },
    });
    expect(await readdir(root)).toEqual(["folder"]);
    await expect(readFile(join(root, "quarantine"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
