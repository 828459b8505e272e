import { execFileSync, spawn } from "node:child_process";
import { link, lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { failed, toFailure, type FailureCode } from "../../../src/domain/failure.ts";
import type { Holding } from "../../../src/domain/observed.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import { openHubWorld, pullOf, refOf, repoFolder, type HubWorld } from "./hub-world.ts";
import { installInCache, treeText } from "./install.ts";

const shared = noise("shared", 4000);
const first = hubModel("org/model", { "config.json": '{"a":1}', "sub/dir/twin.bin": shared, "twin.bin": shared, "model.safetensors": noise("weights", 50_000) });
const second = hubModel("org/model", { "config.json": '{"a":1}', "twin.bin": shared, "model.safetensors": noise("other weights", 40_000) });
const other = hubModel("org/other", { "model.safetensors": noise("weights", 50_000) });
let world: HubWorld;

beforeEach(async () => {
  world = await openHubWorld([first, second, other]);
});
afterEach(() => world.close());

const folder = (): string => repoFolder(world, first);
const snapshotFile = (path: string, model: HubModel = first): string => join(repoFolder(world, model), "snapshots", model.commit, path);
const pull = (model: HubModel, more: Parameters<typeof pullOf>[1] = {}): Promise<Holding> => world.writer.pull(pullOf(model, more), world.context());
const remove = (model: HubModel, quarantine = false): ReturnType<HubWorld["writer"]["remove"]> => world.writer.remove({ ref: refOf(model), quarantine }, world.context());

function blob(path: string, model: HubModel = first): string {
  const file = model.files.find((candidate) => candidate.path === path);
  return join(repoFolder(world, model), "blobs", file === undefined ? "" : etagOf(file));
}

async function codeOf(operation: Promise<unknown>): Promise<FailureCode | "succeeded"> {
  return operation.then(
    () => "succeeded" as const,
    (error: unknown) => toFailure(error).code,
  );
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function filesBelow(path: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(await Promise.all(files.toSorted().map(async (file) => [file.slice(path.length), await readFile(file, "utf8")] as const)));
}

describe("what a pull leaves", () => {
  it("is the layout of the Python client: read-only blobs, relative links, list of the commit, refs without a line end", async () => {
    await pull(first, { refs: ["holdfast/model", "main"] });
    expect(await readlink(snapshotFile("twin.bin"))).toBe(`../../blobs/${basename(blob("twin.bin"))}`);
    expect(await readlink(snapshotFile("sub/dir/twin.bin"))).toBe(`../../../../blobs/${basename(blob("twin.bin"))}`);
    expect((await stat(blob("model.safetensors"))).mode & 0o777).toBe(0o444);
    expect(await readFile(join(folder(), "trees", `${first.commit}.json`), "utf8")).toBe(treeText(first));
    expect(await readFile(join(folder(), "refs/holdfast/model"), "utf8")).toBe(first.commit);
    expect(await readFile(join(folder(), "refs/main"), "utf8")).toBe(first.commit);
    expect((await readdir(folder())).toSorted()).toEqual(["blobs", "refs", "snapshots", "trees"]);
    expect((await readdir(world.cacheDir)).toSorted()).toEqual([".locks", "CACHEDIR.TAG", "models--org--model"]);
  });

  it("names every file with its hash, computed now, and remembers it: looking again reads nothing", async () => {
    const holding = await pull(first);
    expect(holding).toMatchObject({ store: "huggingface", ref: refOf(first), contentId: first.commit, names: ["holdfast/test"] });
    const hashes = Object.fromEntries(holding.artifacts.map(({ path, found }) => [path, "level" in found && found.level === "full" ? found.sha256 : found.state]));
    expect(hashes).toEqual(Object.fromEntries(first.files.map((file) => [file.path, file.sha256])));
    const seen = await world.reader.inspect(refOf(first), "stat", new AbortController().signal);
    expect(seen !== undefined && "artifacts" in seen && seen.artifacts.every(({ found }) => "level" in found && found.level === "stat")).toBe(true);
  });

  it("shares blobs between files and between revisions: the same bytes are fetched once", async () => {
    await pull(first);
    expect(world.hub.bytesSent("twin.bin") + world.hub.bytesSent("sub/dir/twin.bin")).toBe(4000);
    world.hub.sent();
    await pull(second);
    expect(world.hub.sent()).toEqual(["model.safetensors"]);
  });

  it("a chosen part of a commit has the list of the whole commit", async () => {
    const request = pullOf(first);
    const holding = await world.writer.pull({ ...request, files: request.files.filter((file) => file.path === "config.json") }, world.context());
    expect(holding.artifacts.map((artifact) => artifact.path)).toEqual(["config.json"]);
    expect(await readFile(join(folder(), "trees", `${first.commit}.json`), "utf8")).toBe(treeText(first));
  });

  it("moves a ref, and leaves the other refs", async () => {
    await pull(first, { refs: ["holdfast/model", "main"] });
    await pull(second, { refs: ["holdfast/model"] });
    expect(await readFile(join(folder(), "refs/holdfast/model"), "utf8")).toBe(second.commit);
    expect(await readFile(join(folder(), "refs/main"), "utf8")).toBe(first.commit);
  });
});

describe("what is there already", () => {
  it("is proven by hash instead of fetched", async () => {
    await installInCache(world.cacheDir, first);
    await pull(first);
    expect(world.hub.sent()).toEqual([]);
  });

  it("wrong bytes of the right size are found, kept aside and replaced", async () => {
    await installInCache(world.cacheDir, first);
    await writeFile(blob("model.safetensors"), noise("rotten", 50_000));
    await pull(first);
    expect(world.hub.sent()).toEqual(["model.safetensors"]);
    expect(await readFile(blob("model.safetensors"))).toEqual(first.files[3]?.bytes);
    expect(Object.values(await filesBelow(world.quarantine))).toContain(noise("rotten", 50_000).toString("utf8"));
  });

  it("F19 a repair reads the named file again although its times did not change, and keeps the rest", async () => {
    await pull(first);
    const path = blob("model.safetensors");
    const before = await stat(path);
    const rotten = Buffer.from(first.files[3]?.bytes ?? "");
    rotten.writeUInt8(rotten.readUInt8(100) ^ 1, 100);
    await rm(path);
    await writeFile(path, rotten);
    await utimes(path, before.atime, before.mtime);
    world.hub.sent();
    const holding = await world.writer.repair({ ...pullOf(first), bad: ["model.safetensors"] }, world.context());
    expect(world.hub.sent()).toEqual(["model.safetensors"]);
    expect(holding.artifacts.every(({ found }) => "level" in found && found.level === "full")).toBe(true);
    expect(await readFile(path)).toEqual(first.files[3]?.bytes);
  });

  it("F19 a repair does not believe a remembered hash: bits rot without changing any time", async () => {
    await pull(first);
    await rm(blob("model.safetensors"));
    await writeFile(blob("model.safetensors"), noise("rotten", 50_000));
    const believing = { lookup: (files: readonly unknown[]) => files.map(() => ({ sha256: first.files[3]?.sha256 ?? "", at: "" })), remember: () => {} };
    const hasher = createFileHasher({ cache: believing, workers: 1, clock: { now: () => "" } });
    const writer = world.writerWith({ hasher, hashCache: believing });
    world.hub.sent();
    const request = { ...pullOf(first), files: pullOf(first).files.filter((file) => file.path === "model.safetensors") };
    await writer.pull(request, world.context());
    expect(world.hub.sent()).toEqual([]);
    await writer.repair({ ...request, bad: ["model.safetensors"] }, world.context());
    await hasher.close();
    expect(world.hub.sent()).toEqual(["model.safetensors"]);
  });

  it("F02 what a dead run left unfinished is removed, and said", async () => {
    await pull(first);
    const disk = fileURLToPath(new URL("../../../src/adapters/filesystem/disk.ts", import.meta.url));
    const script = `import { createDisk } from ${JSON.stringify(disk)}; import { writeFileSync } from "node:fs";
      writeFileSync(createDisk({ quarantineRoot: "/nowhere" }).temporaryName(${JSON.stringify(blob("twin.bin"))}), "half");`;
    execFileSync(process.execPath, ["--input-type=module", "-e", script]);
    expect((await readdir(join(folder(), "blobs"))).some((name) => name.startsWith(".holdfast-"))).toBe(true);
    await pull(first);
    expect((await readdir(join(folder(), "blobs"))).some((name) => name.startsWith(".holdfast-"))).toBe(false);
    expect(world.events).toContainEqual(expect.objectContaining({ type: "note", message: "removed 1 leftover temporary file" }));
  });

  it("the part of a file that nobody wants any more is removed after a day", async () => {
    await pull(first);
    const parts = ["a", "b"].map((letter) => join(folder(), "blobs", `.${letter.repeat(64)}.holdfast-part`));
    for (const part of parts) await writeFile(part, "half");
    await utimes(parts[0] ?? "", new Date(0), new Date(0));
    await pull(first);
    expect(await Promise.all(parts.map(exists))).toEqual([false, true]);
  });

  it("files without links, as on systems that have none, are proven and become blobs", async () => {
    await installInCache(world.cacheDir, first);
    for (const file of first.files) {
      await rm(snapshotFile(file.path));
      await writeFile(snapshotFile(file.path), file.bytes);
    }
    await rm(join(folder(), "blobs"), { recursive: true });
    await pull(first);
    expect(world.hub.sent()).toEqual([]);
    for (const file of first.files) expect(await readFile(snapshotFile(file.path))).toEqual(file.bytes);
    expect((await lstat(snapshotFile("twin.bin"))).isSymbolicLink()).toBe(true);
  });

  it("bytes in the shared store of the Python client are used where they are, and bad ones are replaced by a blob of our own", async () => {
    const { payload } = await shareBlob(first, "model.safetensors");
    await pull(first);
    expect(world.hub.sent()).not.toContain("model.safetensors");
    await writeFile(payload, noise("rotten", 50_000));
    await pull(first);
    expect(world.hub.sent()).toEqual(["model.safetensors"]);
    expect((await lstat(blob("model.safetensors"))).isFile()).toBe(true);
    expect(await readFile(payload)).toEqual(noise("rotten", 50_000));
  });

  it("a wrong link is set right", async () => {
    await installInCache(world.cacheDir, first);
    await rm(snapshotFile("twin.bin"));
    await symlink("../../blobs/nothing", snapshotFile("twin.bin"));
    await pull(first);
    expect(await readFile(snapshotFile("twin.bin"))).toEqual(shared);
    expect(world.hub.sent()).toEqual([]);
  });
});

describe("one writer at a time", () => {
  it("pulls of one repository in one process queue", async () => {
    await Promise.all([pull(first, { refs: ["a"] }), pull(first, { refs: ["b"] }), pull(second, { refs: ["c"] })]);
    expect(world.hub.bytesSent("twin.bin") + world.hub.bytesSent("sub/dir/twin.bin")).toBe(4000);
    expect((await readdir(join(folder(), "refs"))).toSorted()).toEqual(["a", "b", "c"]);
  });

  it("another process is a conflict while it writes, and no hindrance once it was killed", async () => {
    world.hub.switches.hang.add("model.safetensors");
    const task = { endpoint: world.hub.endpoint, root: world.root, request: pullOf(first) };
    const program = fileURLToPath(new URL("pull-child.ts", import.meta.url));
    const child = spawn(process.execPath, [program], { env: { ...process.env, HOLDFAST_TEST_TASK: JSON.stringify(task) }, stdio: "ignore" });
    await world.hub.hanging();
    expect(await codeOf(pull(first))).toBe("conflict");
    child.kill("SIGKILL");
    await new Promise((gone) => child.once("exit", gone));
    world.hub.switches.hang.clear();
    expect(await codeOf(pull(first))).toBe("succeeded");
  });
});

describe("F06 a failed sync", () => {
  it("counts as not written: no final name, the part is thrown away, the next run fetches it anew", async () => {
    const disk = createDisk({ quarantineRoot: world.quarantine });
    const broken = world.writerWith({
      disk: { ...disk, promote: () => Promise.reject(failed("unexpected", "could not move", { cause: Object.assign(new Error("EIO"), { code: "EIO" }) })) },
    });
    expect(await codeOf(broken.pull(pullOf(other), world.context()))).toBe("integrity");
    expect(await readdir(join(repoFolder(world, other), "blobs"))).toEqual([]);
    await pull(other);
    expect(world.hub.bytesSent("model.safetensors")).toBe(100_000);
  });
});

describe("removing", () => {
  it("frees only what no other revision uses, and takes refs, list and known absences along", async () => {
    await pull(first, { refs: ["holdfast/first", "main"] });
    await pull(second, { refs: ["holdfast/second"] });
    await mkdir(join(folder(), ".no_exist", first.commit), { recursive: true });
    await writeFile(join(folder(), ".no_exist", first.commit, "adapter.json"), "");
    expect(await remove(first)).toEqual({ freedBytes: 50_000 });
    expect(await readFile(snapshotFile("twin.bin", second))).toEqual(shared);
    expect(await exists(join(folder(), "snapshots", first.commit))).toBe(false);
    expect(await readdir(join(folder(), "refs"))).toEqual(["holdfast"]);
    expect(await readdir(join(folder(), "trees"))).toEqual([`${second.commit}.json`]);
    expect(await exists(join(folder(), ".no_exist", first.commit))).toBe(false);
  });

  it("the last revision takes the whole repository, except what others put there", async () => {
    await pull(first);
    await remove(first);
    expect(await exists(folder())).toBe(false);
    await pull(first);
    await writeFile(join(folder(), "blobs", `${"a".repeat(64)}.12345678.incomplete`), "someone else's download");
    await remove(first);
    expect(Object.keys(await filesBelow(folder()))).toEqual([`/blobs/${"a".repeat(64)}.12345678.incomplete`]);
    expect(await exists(join(folder(), "snapshots"))).toBe(true);
  });

  it("counts bytes that another name keeps as not freed", async () => {
    await pull(other);
    await link(blob("model.safetensors", other), join(world.root, "another name"));
    expect(await remove(other)).toEqual({ freedBytes: 0 });
  });

  it("keeps a whole copy when asked to, also of what others share", async () => {
    await pull(first);
    await pull(second);
    const { quarantine } = await remove(first, true);
    const kept = await filesBelow(quarantine ?? "");
    expect(Object.keys(kept).filter((path) => path !== "/note.json")).toEqual(first.files.map((file) => `/files/${file.path}`).toSorted());
    expect(kept["/note.json"]).toContain(refOf(first));
  });

  it("a shared payload goes with its last user, and stays as long as its manifest cannot be read", async () => {
    const one = await shareBlob(first, "model.safetensors");
    await shareBlob(other, "model.safetensors");
    await remove(first);
    expect(await exists(one.payload)).toBe(true);
    await rename(`${one.payload}.refs`, `${one.payload}.lost`);
    await remove(other);
    expect(await exists(one.payload)).toBe(true);
    await installInCache(world.cacheDir, other);
    await rename(`${one.payload}.lost`, `${one.payload}.refs`);
    await rm(blob("model.safetensors", other));
    await symlink(`../../blobs/${basename(dirname(one.payload))}/${basename(one.payload)}`, blob("model.safetensors", other));
    expect(await remove(other)).toEqual({ freedBytes: 50_000 });
    expect(await exists(one.payload)).toBe(false);
  });
});

describe("links that lead elsewhere", () => {
  const canary = (): string => join(world.root, "canary");

  beforeEach(async () => {
    await mkdir(canary());
    await writeFile(join(canary(), "precious"), "precious");
  });

  async function expectCanary(): Promise<void> {
    expect(await filesBelow(canary())).toEqual({ "/precious": "precious" });
  }

  it("SEC-04 removing a snapshot removes a link out of the cache, never its target", async () => {
    await installInCache(world.cacheDir, first);
    await rm(snapshotFile("twin.bin"));
    await symlink(join(canary(), "precious"), snapshotFile("twin.bin"));
    await rm(blob("model.safetensors"));
    await symlink(join(canary(), "precious"), blob("model.safetensors"));
    await remove(first);
    expect(await exists(join(folder(), "snapshots", first.commit))).toBe(false);
    await expectCanary();
  });

  it("SEC-04 a repository, snapshot or folder of blobs that is a link is not written or deleted through", async () => {
    await installInCache(world.cacheDir, first);
    await rename(folder(), join(canary(), "repo"));
    await symlink(join(canary(), "repo"), folder());
    const before = await filesBelow(canary());
    expect(await codeOf(remove(first))).toBe("unsafe-path");
    expect(await codeOf(pull(second))).toBe("unsafe-path");
    expect(await filesBelow(canary())).toEqual(before);
    await rm(folder());
    await mkdir(folder(), { recursive: true });
    await symlink(join(canary(), "repo", "blobs"), join(folder(), "blobs"));
    expect(await codeOf(pull(second))).toBe("unsafe-path");
    expect(await filesBelow(canary())).toEqual(before);
  });

  it("SEC-04 a blob that is a link out of the cache is replaced, its target untouched", async () => {
    await installInCache(world.cacheDir, first);
    await rm(blob("model.safetensors"));
    await symlink(join(canary(), "precious"), blob("model.safetensors"));
    await pull(first);
    expect(await readFile(snapshotFile("model.safetensors"))).toEqual(first.files[3]?.bytes);
    await expectCanary();
  });

  it("SEC-03 folders that are swapped for links while it writes and deletes never lead it out", { timeout: 120_000 }, async () => {
    const stop = new AbortController();
    const swapping = swapForever(stop.signal, [join(folder(), "blobs"), join(folder(), "snapshots", first.commit), folder()], canary());
    for (let round = 0; round < 25; round++) {
      await pull(first, { refs: ["a"] }).catch(() => {});
      await remove(first).catch(() => {});
      await expectCanary();
    }
    stop.abort();
    expect(await swapping).toBeGreaterThan(100);
    await expectCanary();
  });

  it.each(["../../escape", "/etc/x", "a\\b", ".git/config", "CON"])("SEC-01 the planned path %j is refused before anything is asked or written", async (path) => {
    const request = { ...pullOf(first), files: [{ path, size: 1, blobId: "a".repeat(40) }] };
    expect(await codeOf(world.writer.pull(request, world.context()))).toBe("unsafe-path");
    expect(world.hub.requests).toEqual([]);
    expect(await exists(world.cacheDir)).toBe(false);
  });

  it.each(["../main", "a/../../b", "/x"])("SEC-01 the ref %j is refused", async (ref) => {
    expect(await codeOf(pull(first, { refs: [ref] }))).toBe("unsafe-path");
    expect(await exists(world.cacheDir)).toBe(false);
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

/** Moves a blob to the shared store, as the Python client does after a Xet download. */
async function shareBlob(model: HubModel, path: string): Promise<{ readonly payload: string }> {
  await installInCache(world.cacheDir, model);
  const xetHash = "ab".padEnd(64, "0");
  const payload = join(world.cacheDir, "blobs", "ab", xetHash);
  await mkdir(dirname(payload), { recursive: true });
  await writeFile(join(world.cacheDir, "blobs", ".huggingface-shared-blobs"), "1\n");
  await writeFile(payload, await readFile(blob(path, model)));
  const references = await readFile(`${payload}.refs`, "utf8").catch(() => "");
  await writeFile(`${payload}.refs`, `${references}${blob(path, model).slice(world.cacheDir.length + 1)}\n`);
  await rm(blob(path, model));
  await symlink(`../../blobs/ab/${xetHash}`, blob(path, model));
  return { payload };
}
