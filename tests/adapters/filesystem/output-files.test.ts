import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createOutputFiles } from "../../../src/adapters/filesystem/output-files.ts";
import { useWorkspace } from "./workspace.ts";

describe("output files", () => {
  const workspace = useWorkspace();
  const setUp = async () => {
    const folder = await workspace();
    return { folder, files: createOutputFiles(createDisk({ quarantineRoot: join(folder, "quarantine") })) };
  };

  it("does not touch a file that has the same bytes already", async () => {
    const { folder, files } = await setUp();
    const path = join(folder, "configs", "model_registry.json");
    expect(await files.write(path, "[]\n")).toBe("written");
    const before = await stat(path, { bigint: true });
    expect(await files.write(path, "[]\n")).toBe("unchanged");
    const after = await stat(path, { bigint: true });
    expect([after.ino, after.ctimeNs]).toEqual([before.ino, before.ctimeNs]);
    expect(await files.write(path, "{}\n")).toBe("written");
    expect(await files.read(path)).toBe("{}\n");
  });

  it("reads a missing file as undefined and refuses one of absurd size", async () => {
    const { folder, files } = await setUp();
    expect(await files.read(join(folder, "absent"))).toBeUndefined();
    await writeFile(join(folder, "huge"), "");
    await truncate(join(folder, "huge"), 300 * 1024 * 1024);
    await expect(files.read(join(folder, "huge"))).rejects.toMatchObject({ failure: { code: "unsupported" } });
  });

  it("reads back what was written, whatever was there before", async () => {
    const { folder, files } = await setUp();
    const path = join(folder, "file");
    const text = fc.string({ unit: "binary" });
    await fc.assert(
      fc.asyncProperty(text, text, async (before, after) => {
        await files.write(path, before);
        expect(await files.write(path, after)).toBe(before === after ? "unchanged" : "written");
        expect(await files.read(path)).toBe(after);
        expect(await readdir(folder)).toEqual(["file"]);
      }),
      { numRuns: 50 },
    );
  });
});
