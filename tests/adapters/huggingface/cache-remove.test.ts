import { link, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exists, filesBelow, first, openCacheScene, other, second, shareBlob, shared, type CacheScene } from "./cache-scene.ts";
import { refOf } from "./hub-world.ts";
import { installInCache } from "./install.ts";

let scene: CacheScene;

beforeEach(async () => {
  scene = await openCacheScene();
});
afterEach(() => scene.world.close());

describe("removing", () => {
  it("frees only what no other revision uses, and takes refs, list and known absences along", async () => {
    await scene.pull(first, { refs: ["holdfast/first", "main"] });
    await scene.pull(second, { refs: ["holdfast/second"] });
    await mkdir(join(scene.folder, ".no_exist", first.commit), { recursive: true });
    await writeFile(join(scene.folder, ".no_exist", first.commit, "adapter.json"), "");
    expect(await scene.remove(first)).toEqual({ freedBytes: 50_000 });
    expect(await readFile(scene.snapshotFile("twin.bin", second))).toEqual(shared);
    expect(await exists(join(scene.folder, "snapshots", first.commit))).toBe(false);
    expect(await readdir(join(scene.folder, "refs"))).toEqual(["holdfast"]);
    expect(await readdir(join(scene.folder, "trees"))).toEqual([`${second.commit}.json`]);
    expect(await exists(join(scene.folder, ".no_exist", first.commit))).toBe(false);
  });

  it("the last revision takes the whole repository, except what others put there", async () => {
    await scene.pull(first);
    await scene.remove(first);
    expect(await exists(scene.folder)).toBe(false);
    await scene.pull(first);
    await writeFile(join(scene.folder, "blobs", `${"a".repeat(64)}.12345678.incomplete`), "someone else's download");
    await scene.remove(first);
    expect(Object.keys(await filesBelow(scene.folder))).toEqual([`/blobs/${"a".repeat(64)}.12345678.incomplete`]);
    expect(await exists(join(scene.folder, "snapshots"))).toBe(true);
  });

  it("SEC-04 leaves what a user put into the snapshot where it is, says so, and is done when it runs again", async () => {
    await scene.pull(first);
    const canary = join(scene.world.root, "canary");
    await writeFile(canary, "precious");
    const snapshot = join(scene.folder, "snapshots", first.commit);
    await mkdir(join(snapshot, "lora"));
    await writeFile(join(snapshot, "lora/adapter.bin"), "mine");
    await symlink(canary, join(snapshot, "lora/linked"));
    await writeFile(join(snapshot, "sub/.DS_Store"), "");
    const { quarantine } = await scene.remove(first, true);
    expect((await readdir(snapshot, { recursive: true })).toSorted()).toEqual(["lora", "lora/adapter.bin", "lora/linked"]);
    expect(await readFile(join(snapshot, "lora/linked"), "utf8")).toBe("precious");
    expect(await filesBelow(scene.folder)).toEqual({ [`/snapshots/${first.commit}/lora/adapter.bin`]: "mine" });
    expect(Object.keys(await filesBelow(quarantine ?? "")).join()).not.toContain("lora");
    expect(scene.world.events).toContainEqual({
      type: "note",
      id: "a1",
      message: expect.stringMatching(/left 2 files .*: lora\/adapter\.bin, lora\/linked$/),
    });
    expect(await scene.remove(first)).toEqual({ freedBytes: 0 });
    expect(await readFile(join(snapshot, "lora/adapter.bin"), "utf8")).toBe("mine");
  });

  it("takes regular files that the commit lists, as on systems without links", async () => {
    await installInCache(scene.world.cacheDir, first);
    await rm(scene.snapshotFile("config.json"));
    await writeFile(scene.snapshotFile("config.json"), '{"a":1}');
    await scene.remove(first);
    expect(await exists(join(scene.folder, "snapshots", first.commit))).toBe(false);
  });

  it("deletes nothing while a second declared model holds the commit", async () => {
    await scene.pull(first, { refs: ["holdfast/mine", "main"] });
    await scene.pull(first, { refs: ["holdfast/theirs"] });
    const before = await filesBelow(scene.folder);
    await expect(scene.remove(first)).rejects.toMatchObject({
      failure: {
        code: "conflict",
        retry: "terminal",
        message: expect.stringContaining("holdfast/mine, holdfast/theirs"),
        remedy: expect.stringContaining("refs"),
      },
    });
    expect(await filesBelow(scene.folder)).toEqual(before);
    await rm(join(scene.folder, "refs/holdfast/theirs"));
    await scene.remove(first);
    expect(await exists(scene.folder)).toBe(false);
  });

  it("counts bytes that another name keeps as not freed", async () => {
    await scene.pull(other);
    await link(scene.blob("model.safetensors", other), join(scene.world.root, "another name"));
    expect(await scene.remove(other)).toEqual({ freedBytes: 0 });
  });

  it("keeps a whole copy when asked to, also of what others share", async () => {
    await scene.pull(first);
    await scene.pull(second);
    const { quarantine } = await scene.remove(first, true);
    const kept = await filesBelow(quarantine ?? "");
    expect(Object.keys(kept).filter((path) => path !== "/note.json")).toEqual(first.files.map((file) => `/files/${file.path}`).toSorted());
    expect(kept["/note.json"]).toContain(refOf(first));
  });

  it("a shared payload goes with its last user, and stays as long as its manifest cannot be read", async () => {
    const one = await shareBlob(scene, first, "model.safetensors");
    await shareBlob(scene, other, "model.safetensors");
    await scene.remove(first);
    expect(await exists(one.payload)).toBe(true);
    await rename(`${one.payload}.refs`, `${one.payload}.lost`);
    await scene.remove(other);
    expect(await exists(one.payload)).toBe(true);
    await installInCache(scene.world.cacheDir, other);
    await rename(`${one.payload}.lost`, `${one.payload}.refs`);
    await rm(scene.blob("model.safetensors", other));
    await symlink(`../../blobs/${basename(dirname(one.payload))}/${basename(one.payload)}`, scene.blob("model.safetensors", other));
    expect(await scene.remove(other)).toEqual({ freedBytes: 50_000 });
    expect(await exists(one.payload)).toBe(false);
  });
});
