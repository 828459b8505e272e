import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Disk } from "../../src/ports/disk.ts";
import { useWorkspace } from "../adapters/filesystem/workspace.ts";

/** What every Disk must do; `create` is given the quarantine root. */
export function describeDisk(name: string, create: (quarantineRoot: string) => Disk): void {
  describe(`Disk: ${name}`, () => {
    const workspace = useWorkspace();
    const setUp = async (): Promise<{ root: string; disk: Disk }> => {
      const root = await workspace();
      return { root, disk: create(join(root, "quarantine")) };
    };

    it("writes text and bytes, creating folders and leaving nothing else behind", async () => {
      const { root, disk } = await setUp();
      const path = join(root, "a", "b", "c.json");
      await disk.writeDurable(path, "first");
      await disk.writeDurable(path, new Uint8Array([0, 255, 10]));
      expect(await readFile(path)).toEqual(Buffer.from([0, 255, 10]));
      expect(await readdir(dirname(path))).toEqual(["c.json"]);
    });

    it("keeps the permissions of a file it replaces, and sets those it is told", async () => {
      const { root, disk } = await setUp();
      const path = join(root, "file");
      await writeFile(path, "old");
      await chmod(path, 0o604);
      await disk.writeDurable(path, "new");
      expect((await stat(path)).mode & 0o777).toBe(0o604);
      await disk.writeDurable(path, "newer", { mode: 0o600 });
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    });

    it("replaces a symbolic link instead of writing to where it points", async () => {
      const { root, disk } = await setUp();
      await writeFile(join(root, "canary"), "untouched");
      await symlink(join(root, "canary"), join(root, "file"));
      await disk.writeDurable(join(root, "file"), "new");
      expect(await readFile(join(root, "canary"), "utf8")).toBe("untouched");
      expect((await lstat(join(root, "file"))).isFile()).toBe(true);
    });

    it("promotes a finished file to its final name with the wanted mode", async () => {
      const { root, disk } = await setUp();
      const final = join(root, "blobs", "sha256-1");
      await mkdir(dirname(final));
      await writeFile(final, "old");
      const temporary = disk.temporaryName(final);
      expect(dirname(temporary)).toBe(dirname(final));
      await writeFile(temporary, "verified");
      await disk.promote(temporary, final, { mode: 0o644 });
      expect(await readFile(final, "utf8")).toBe("verified");
      expect((await stat(final)).mode & 0o777).toBe(0o644);
      expect(await readdir(dirname(final))).toEqual(["sha256-1"]);
    });

    it("refuses to promote anything but a regular file, and leaves the final name alone", async () => {
      const { root, disk } = await setUp();
      await writeFile(join(root, "final"), "old");
      await writeFile(join(root, "elsewhere"), "other bytes");
      await symlink(join(root, "elsewhere"), join(root, "temporary"));
      await expect(disk.promote(join(root, "temporary"), join(root, "final"))).rejects.toThrow();
      await expect(disk.promote(join(root, "absent"), join(root, "final"))).rejects.toThrow();
      expect(await readFile(join(root, "final"), "utf8")).toBe("old");
    });

    it("puts a symbolic link over a link or a file, with exactly the target text", async () => {
      const { root, disk } = await setUp();
      const path = join(root, "snapshots", "main", "config.json");
      await disk.link("../../blobs/one", path);
      await disk.link("../../blobs/one", path);
      expect(await readlink(path)).toBe("../../blobs/one");
      await disk.link("../../blobs/two", path);
      expect(await readlink(path)).toBe("../../blobs/two");
      await writeFile(join(root, "plain"), "file");
      await disk.link("target", join(root, "plain"));
      expect(await readlink(join(root, "plain"))).toBe("target");
      expect(await readdir(dirname(path))).toEqual(["config.json"]);
    });

    it("gives unfinished writes names of their own and does not remove those of the living", async () => {
      const { root, disk } = await setUp();
      const names = [disk.temporaryName(join(root, "x")), disk.temporaryName(join(root, "x"))];
      expect(new Set(names).size).toBe(2);
      for (const path of names) await writeFile(path, "");
      expect(await disk.removeLeftovers(root)).toBe(0);
      expect(await readdir(root)).toHaveLength(2);
      expect(await disk.removeLeftovers(join(root, "no such folder"))).toBe(0);
    });

    it("joins safe relative paths to a root, whether or not anything exists", async () => {
      const { root, disk } = await setUp();
      expect(await disk.contained(root, "a/b.bin")).toBe(join(root, "a", "b.bin"));
      expect(await disk.contained(join(root, "absent"), "a/b.bin")).toBe(join(root, "absent", "a", "b.bin"));
      await mkdir(join(root, "real"));
      await symlink("real", join(root, "inside"));
      expect(await disk.contained(root, "inside/b.bin")).toBe(join(root, "inside", "b.bin"));
    });

    it.each(["../x", "/etc/x", "C:\\x", "D:x", "\\\\h\\s", "a/../../b", "..%2f", "a\\..\\..\\b", "a\0b", "x".repeat(300), "CON", "trailing.", ""])(
      "SEC-01 refuses the path %j",
      async (path) => {
        const { root, disk } = await setUp();
        await expect(disk.contained(root, path)).rejects.toMatchObject({ failure: { code: "unsafe-path" } });
        expect(await readdir(root)).toEqual([]);
      },
    );

    it("SEC-03 refuses a parent that leads out of the root through a symbolic link, now or later", async () => {
      const { root, disk } = await setUp();
      await mkdir(join(root, "canary"));
      await mkdir(join(root, "models"));
      await symlink(join(root, "canary"), join(root, "models", "out"));
      await symlink(join(root, "not there yet"), join(root, "models", "dangling"));
      await symlink("circle", join(root, "models", "circle"));
      for (const path of ["out/file", "out/deep/file", "dangling/file", "dangling/deep/file", "circle/file"]) {
        await expect(disk.contained(join(root, "models"), path), path).rejects.toMatchObject({ failure: { code: "unsafe-path" } });
      }
    });

    it("tells free bytes for a path that does not exist yet", async () => {
      const { root, disk } = await setUp();
      expect(await disk.freeBytes(join(root, "not", "there"))).toBeGreaterThan(0);
    });

    it.each(["move", "copy"] as const)("quarantines files (%s) under their given names with a note", async (keep) => {
      const { root, disk } = await setUp();
      await writeFile(join(root, "one"), "1");
      await writeFile(join(root, "two"), "2");
      const files = [
        { from: join(root, "one"), as: "blobs/one" },
        { from: join(root, "two"), as: "two" },
      ];
      const folder = await disk.quarantine(files, { model: "qwen3:8b", reason: "not re-fetchable" }, keep);
      expect(dirname(folder)).toBe(join(root, "quarantine"));
      const kept = await readdir(folder, { recursive: true, withFileTypes: true });
      const texts = await Promise.all(kept.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), "utf8")));
      expect(texts.toSorted()).toEqual(["1", "2", `{"model":"qwen3:8b","reason":"not re-fetchable"}\n`]);
      const left = (await readdir(root)).filter((entry) => entry !== "quarantine");
      expect(left).toEqual(keep === "move" ? [] : ["one", "two"]);
    });

    it("moves nothing into quarantine when one file cannot be kept", async () => {
      const { root, disk } = await setUp();
      await writeFile(join(root, "one"), "1");
      const one = { from: join(root, "one"), as: "one" };
      await expect(disk.quarantine([one, { from: join(root, "absent"), as: "two" }], {}, "move")).rejects.toThrow();
      await expect(disk.quarantine([one, { from: join(root, "one"), as: "../../escape" }], {}, "move")).rejects.toMatchObject({
        failure: { code: "unsafe-path" },
      });
      expect(await readFile(join(root, "one"), "utf8")).toBe("1");
      expect(await readdir(join(root, "quarantine"))).toEqual([]);
    });
  });
}
