import { execFileSync, spawn } from "node:child_process";
import { lstat, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { failed } from "../../../src/domain/failure.ts";
import { noise } from "../../fakes/hub-model.ts";
import { codeOf, exists, filesBelow, first, openCacheScene, other, second, shareBlob, shared, type CacheScene } from "./cache-scene.ts";
import { pullOf, refOf, repoFolder } from "./hub-world.ts";
import { installInCache, treeText } from "./install.ts";

let scene: CacheScene;

beforeEach(async () => {
  scene = await openCacheScene();
});
afterEach(() => scene.world.close());

describe("what a pull leaves", () => {
  it("is the layout of the Python client: read-only blobs, relative links, list of the commit, refs without a line end", async () => {
    await scene.pull(first, { refs: ["holdfast/model", "main"] });
    expect(await readlink(scene.snapshotFile("twin.bin"))).toBe(`../../blobs/${basename(scene.blob("twin.bin"))}`);
    expect(await readlink(scene.snapshotFile("sub/dir/twin.bin"))).toBe(`../../../../blobs/${basename(scene.blob("twin.bin"))}`);
    expect((await stat(scene.blob("model.safetensors"))).mode & 0o777).toBe(0o444);
    expect(await readFile(join(scene.folder, "trees", `${first.commit}.json`), "utf8")).toBe(treeText(first));
    expect(await readFile(join(scene.folder, "refs/holdfast/model"), "utf8")).toBe(first.commit);
    expect(await readFile(join(scene.folder, "refs/main"), "utf8")).toBe(first.commit);
    expect((await readdir(scene.folder)).toSorted()).toEqual(["blobs", "refs", "snapshots", "trees"]);
    expect((await readdir(scene.world.cacheDir)).toSorted()).toEqual([".locks", "CACHEDIR.TAG", "models--org--model"]);
  });

  it("names every file with its hash, computed now, and remembers it: looking again reads nothing", async () => {
    const holding = await scene.pull(first);
    expect(holding).toMatchObject({ store: "huggingface", ref: refOf(first), contentId: first.commit, names: ["holdfast/test"] });
    const hashes = Object.fromEntries(
      holding.artifacts.map(({ path, found }) => [path, "level" in found && found.level === "full" ? found.sha256 : found.state]),
    );
    expect(hashes).toEqual(Object.fromEntries(first.files.map((file) => [file.path, file.sha256])));
    const seen = await scene.world.reader.inspect(refOf(first), "stat", new AbortController().signal);
    expect(seen !== undefined && "artifacts" in seen && seen.artifacts.every(({ found }) => "level" in found && found.level === "stat")).toBe(true);
  });

  it("shares blobs between files and between revisions: the same bytes are fetched once", async () => {
    await scene.pull(first);
    expect(scene.world.hub.bytesSent("twin.bin") + scene.world.hub.bytesSent("sub/dir/twin.bin")).toBe(4000);
    scene.world.hub.sent();
    await scene.pull(second);
    expect(scene.world.hub.sent()).toEqual(["model.safetensors"]);
  });

  it("a chosen part of a commit has the list of the whole commit", async () => {
    const request = pullOf(first);
    const holding = await scene.world.writer.pull(
      { ...request, files: request.files.filter((file) => file.path === "config.json") },
      scene.world.context(),
    );
    expect(holding.artifacts.map((artifact) => artifact.path)).toEqual(["config.json"]);
    expect(await readFile(join(scene.folder, "trees", `${first.commit}.json`), "utf8")).toBe(treeText(first));
  });

  it("moves a ref, and leaves the other refs", async () => {
    await scene.pull(first, { refs: ["holdfast/model", "main"] });
    await scene.pull(second, { refs: ["holdfast/model"] });
    expect(await readFile(join(scene.folder, "refs/holdfast/model"), "utf8")).toBe(second.commit);
    expect(await readFile(join(scene.folder, "refs/main"), "utf8")).toBe(first.commit);
  });
});

describe("what is there already", () => {
  it("is proven by hash instead of fetched", async () => {
    await installInCache(scene.world.cacheDir, first);
    await scene.pull(first);
    expect(scene.world.hub.sent()).toEqual([]);
  });

  it("wrong bytes of the right size are found, kept aside and replaced", async () => {
    await installInCache(scene.world.cacheDir, first);
    await writeFile(scene.blob("model.safetensors"), noise("rotten", 50_000));
    await scene.pull(first);
    expect(scene.world.hub.sent()).toEqual(["model.safetensors"]);
    expect(await readFile(scene.blob("model.safetensors"))).toEqual(first.files[3]?.bytes);
    expect(Object.values(await filesBelow(scene.world.quarantine))).toContain(noise("rotten", 50_000).toString("utf8"));
  });

  it("F19 a repair reads the named file again although its times did not change, and keeps the rest", async () => {
    await scene.pull(first);
    const path = scene.blob("model.safetensors");
    const before = await stat(path);
    const rotten = Buffer.from(first.files[3]?.bytes ?? "");
    rotten.writeUInt8(rotten.readUInt8(100) ^ 1, 100);
    await rm(path);
    await writeFile(path, rotten);
    await utimes(path, before.atime, before.mtime);
    scene.world.hub.sent();
    const holding = await scene.world.writer.repair({ ...pullOf(first), bad: ["model.safetensors"] }, scene.world.context());
    expect(scene.world.hub.sent()).toEqual(["model.safetensors"]);
    expect(holding.artifacts.every(({ found }) => "level" in found && found.level === "full")).toBe(true);
    expect(await readFile(path)).toEqual(first.files[3]?.bytes);
  });

  it("F19 a repair does not believe a remembered hash: bits rot without changing any time", async () => {
    await scene.pull(first);
    await rm(scene.blob("model.safetensors"));
    await writeFile(scene.blob("model.safetensors"), noise("rotten", 50_000));
    const believing = {
      lookup: (files: readonly unknown[]) => files.map(() => ({ sha256: first.files[3]?.sha256 ?? "", at: "" })),
      remember: () => {},
    };
    const hasher = createFileHasher({ cache: believing, workers: 1, clock: { now: () => "" } });
    const writer = scene.world.writerWith({ hasher, hashCache: believing });
    scene.world.hub.sent();
    const request = { ...pullOf(first), files: pullOf(first).files.filter((file) => file.path === "model.safetensors") };
    await writer.pull(request, scene.world.context());
    expect(scene.world.hub.sent()).toEqual([]);
    await writer.repair({ ...request, bad: ["model.safetensors"] }, scene.world.context());
    await hasher.close();
    expect(scene.world.hub.sent()).toEqual(["model.safetensors"]);
  });

  it("F02 what a dead run left unfinished is removed, and said", async () => {
    await scene.pull(first);
    const disk = fileURLToPath(new URL("../../../src/adapters/filesystem/disk.ts", import.meta.url));
    const script = `import { createDisk } from ${JSON.stringify(disk)}; import { writeFileSync } from "node:fs";
      writeFileSync(createDisk({ quarantineRoot: "/nowhere" }).temporaryName(${JSON.stringify(scene.blob("twin.bin"))}), "half");`;
    execFileSync(process.execPath, ["--input-type=module", "-e", script]);
    expect((await readdir(join(scene.folder, "blobs"))).some((name) => name.startsWith(".holdfast-"))).toBe(true);
    await scene.pull(first);
    expect((await readdir(join(scene.folder, "blobs"))).some((name) => name.startsWith(".holdfast-"))).toBe(false);
    expect(scene.world.events).toContainEqual(expect.objectContaining({ type: "note", message: "removed 1 leftover temporary file" }));
  });

  it("the part of a file that nobody wants any more is removed after a day", async () => {
    await scene.pull(first);
    const parts = ["a", "b"].map((letter) => join(scene.folder, "blobs", `.${letter.repeat(64)}.holdfast-part`));
    for (const part of parts) await writeFile(part, "half");
    await utimes(parts[0] ?? "", new Date(0), new Date(0));
    await scene.pull(first);
    expect(await Promise.all(parts.map(exists))).toEqual([false, true]);
  });

  it("files without links, as on systems that have none, are proven and become blobs", async () => {
    await installInCache(scene.world.cacheDir, first);
    for (const file of first.files) {
      await rm(scene.snapshotFile(file.path));
      await writeFile(scene.snapshotFile(file.path), file.bytes);
    }
    await rm(join(scene.folder, "blobs"), { recursive: true });
    await scene.pull(first);
    expect(scene.world.hub.sent()).toEqual([]);
    for (const file of first.files) expect(await readFile(scene.snapshotFile(file.path))).toEqual(file.bytes);
    expect((await lstat(scene.snapshotFile("twin.bin"))).isSymbolicLink()).toBe(true);
  });

  it("bytes in the shared store of the Python client are used where they are, and bad ones are replaced by a blob of our own", async () => {
    const { payload } = await shareBlob(scene, first, "model.safetensors");
    await scene.pull(first);
    expect(scene.world.hub.sent()).not.toContain("model.safetensors");
    await writeFile(payload, noise("rotten", 50_000));
    await scene.pull(first);
    expect(scene.world.hub.sent()).toEqual(["model.safetensors"]);
    expect((await lstat(scene.blob("model.safetensors"))).isFile()).toBe(true);
    expect(await readFile(payload)).toEqual(noise("rotten", 50_000));
  });

  it("a wrong link is set right", async () => {
    await installInCache(scene.world.cacheDir, first);
    await rm(scene.snapshotFile("twin.bin"));
    await symlink("../../blobs/nothing", scene.snapshotFile("twin.bin"));
    await scene.pull(first);
    expect(await readFile(scene.snapshotFile("twin.bin"))).toEqual(shared);
    expect(scene.world.hub.sent()).toEqual([]);
  });
});

describe("one writer at a time", () => {
  it("pulls of one repository in one process queue", async () => {
    await Promise.all([scene.pull(first, { refs: ["a"] }), scene.pull(first, { refs: ["b"] }), scene.pull(second, { refs: ["c"] })]);
    expect(scene.world.hub.bytesSent("twin.bin") + scene.world.hub.bytesSent("sub/dir/twin.bin")).toBe(4000);
    expect((await readdir(join(scene.folder, "refs"))).toSorted()).toEqual(["a", "b", "c"]);
  });

  it("another process is a conflict while it writes, and no hindrance once it was killed", async () => {
    scene.world.hub.switches.hang.add("model.safetensors");
    const task = { endpoint: scene.world.hub.endpoint, root: scene.world.root, request: pullOf(first) };
    const program = fileURLToPath(new URL("pull-child.ts", import.meta.url));
    const child = spawn(process.execPath, [program], { env: { ...process.env, HOLDFAST_TEST_TASK: JSON.stringify(task) }, stdio: "ignore" });
    await scene.world.hub.hanging();
    expect(await codeOf(scene.pull(first))).toBe("conflict");
    child.kill("SIGKILL");
    await new Promise((gone) => child.once("exit", gone));
    scene.world.hub.switches.hang.clear();
    expect(await codeOf(scene.pull(first))).toBe("succeeded");
  });
});

describe("F06 a failed sync", () => {
  it("counts as not written: no final name, the part is thrown away, the next run fetches it anew", async () => {
    const disk = createDisk({ quarantineRoot: scene.world.quarantine });
    const broken = scene.world.writerWith({
      disk: {
        ...disk,
        promote: () => Promise.reject(failed("unexpected", "could not move", { cause: Object.assign(new Error("EIO"), { code: "EIO" }) })),
      },
    });
    expect(await codeOf(broken.pull(pullOf(other), scene.world.context()))).toBe("integrity");
    expect(await readdir(join(repoFolder(scene.world, other), "blobs"))).toEqual([]);
    await scene.pull(other);
    expect(scene.world.hub.bytesSent("model.safetensors")).toBe(100_000);
  });
});
