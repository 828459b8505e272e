import { lstat, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, exists, filesBelow, first, openCacheScene, second, type CacheScene } from "./cache-scene.ts";
import { pullOf } from "./hub-world.ts";
import { installInCache } from "./install.ts";

let scene: CacheScene;

beforeEach(async () => {
  scene = await openCacheScene();
});
afterEach(() => scene.world.close());

describe("links that lead elsewhere", () => {
  const canary = (): string => join(scene.world.root, "canary");

  beforeEach(async () => {
    await mkdir(canary());
    await writeFile(join(canary(), "precious"), "precious");
  });

  async function expectCanary(): Promise<void> {
    expect(await filesBelow(canary())).toEqual({ "/precious": "precious" });
  }

  it("SEC-04 removing a snapshot removes a link out of the cache, never its target", async () => {
    await installInCache(scene.world.cacheDir, first);
    await rm(scene.snapshotFile("twin.bin"));
    await symlink(join(canary(), "precious"), scene.snapshotFile("twin.bin"));
    await rm(scene.blob("model.safetensors"));
    await symlink(join(canary(), "precious"), scene.blob("model.safetensors"));
    await scene.remove(first);
    expect(await exists(join(scene.folder, "snapshots", first.commit))).toBe(false);
    await expectCanary();
  });

  it("SEC-04 a repository, snapshot or folder of blobs that is a link is not written or deleted through", async () => {
    await installInCache(scene.world.cacheDir, first);
    await rename(scene.folder, join(canary(), "repo"));
    await symlink(join(canary(), "repo"), scene.folder);
    const before = await filesBelow(canary());
    expect(await codeOf(scene.remove(first))).toBe("unsafe-path");
    expect(await codeOf(scene.pull(second))).toBe("unsafe-path");
    expect(await filesBelow(canary())).toEqual(before);
    await rm(scene.folder);
    await mkdir(scene.folder, { recursive: true });
    await symlink(join(canary(), "repo", "blobs"), join(scene.folder, "blobs"));
    expect(await codeOf(scene.pull(second))).toBe("unsafe-path");
    expect(await filesBelow(canary())).toEqual(before);
  });

  it("SEC-04 a blob that is a link out of the cache is replaced, its target untouched", async () => {
    await installInCache(scene.world.cacheDir, first);
    await rm(scene.blob("model.safetensors"));
    await symlink(join(canary(), "precious"), scene.blob("model.safetensors"));
    await scene.pull(first);
    expect(await readFile(scene.snapshotFile("model.safetensors"))).toEqual(first.files[3]?.bytes);
    await expectCanary();
  });

  it("SEC-03 folders that are swapped for links while it writes and deletes never lead it out", { timeout: 120_000 }, async () => {
    const stop = new AbortController();
    const swapping = swapForever(stop.signal, [join(scene.folder, "blobs"), join(scene.folder, "snapshots", first.commit), scene.folder], canary());
    for (let round = 0; round < 25; round++) {
      await scene.pull(first, { refs: ["a"] }).catch(() => {});
      await scene.remove(first).catch(() => {});
      await expectCanary();
    }
    stop.abort();
    expect(await swapping).toBeGreaterThan(100);
    await expectCanary();
  });

  it.each(["../../escape", "/etc/x", "a\\b", ".git/config", "CON"])(
    "SEC-01 the planned path %j is refused before anything is asked or written",
    async (path) => {
      const request = { ...pullOf(first), files: [{ path, size: 1, blobId: "a".repeat(40) }] };
      expect(await codeOf(scene.world.writer.pull(request, scene.world.context()))).toBe("unsafe-path");
      expect(scene.world.hub.requests).toEqual([]);
      expect(await exists(scene.world.cacheDir)).toBe(false);
    },
  );

  it.each(["../main", "a/../../b", "/x"])("SEC-01 the ref %j is refused", async (ref) => {
    expect(await codeOf(scene.pull(first, { refs: [ref] }))).toBe("unsafe-path");
    expect(await exists(scene.world.cacheDir)).toBe(false);
  });
});

/** Swaps folders for links to the canary and back, as fast as it can. */
async function swapForever(signal: AbortSignal, folders: readonly string[], target: string): Promise<number> {
  let swaps = 0;
  while (!signal.aborted) {
    for (const path of folders) {
      const aside = `${path}.aside`;
      try {
        await rename(path, aside);
        await symlink(target, path);
        swaps += 1;
        await rm(path);
        await rename(aside, path);
      } catch {
        if ((await lstat(path).catch(() => undefined))?.isSymbolicLink()) await rm(path);
        if (!(await exists(path))) await rename(aside, path).catch(() => {});
        else await rm(aside, { recursive: true, force: true });
        await new Promise((turn) => setTimeout(turn, 1));
      }
    }
  }
  return swaps;
}
