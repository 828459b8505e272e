import { spawn, spawnSync } from "node:child_process";
import { readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import { openHubWorld, pullOf, repoFolder, type HubWorld } from "./hub-world.ts";
import type { ChildTask } from "./pull-child.ts";

const model = hubModel("org/model", {
  "config.json": '{"a":1}',
  "one.safetensors": noise("one", 2_000_000),
  "two.safetensors": noise("two", 2_500_000),
  "sub/three.bin": noise("three", 700_000),
});
const small = hubModel("org/model", { "config.json": '{"a":1}', "sub/one.safetensors": noise("one", 50_000) });
const program = fileURLToPath(new URL("pull-child.ts", import.meta.url));
let world: HubWorld;
let current: HubModel = model;

beforeEach(async () => {
  world = await openHubWorld([model, small]);
});
afterEach(() => world.close());

/** Runs a pull in a process of its own, and kills it after some milliseconds. */
async function child(more: Partial<ChildTask> = {}, killAfterMs?: number): Promise<number | string> {
  const task: ChildTask = { endpoint: world.hub.endpoint, root: world.root, request: pullOf(current), ...more };
  const running = spawn(process.execPath, [program], {
    env: { ...process.env, HOLDFAST_TEST_TASK: JSON.stringify(task) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => running.kill("SIGKILL"), killAfterMs);
  const [code, signal] = await new Promise<[number | null, string | null]>((done) => void running.once("exit", (exit, name) => done([exit, name])));
  clearTimeout(timer);
  return signal ?? code ?? "nothing";
}

/** Every file with a final name has the bytes of that name, and every ref leads to a snapshot whose links all work. */
async function expectNothingWrong(): Promise<void> {
  const folder = repoFolder(world, current);
  const byEtag = new Map(current.files.map((file) => [etagOf(file), file]));
  for (const name of await namesIn(join(folder, "blobs"))) {
    if (name.startsWith(".")) continue;
    expect((await readFile(join(folder, "blobs", name))).equals(byEtag.get(name)?.bytes ?? Buffer.alloc(0))).toBe(true);
  }
  const snapshot = join(folder, "snapshots", current.commit);
  for (const file of current.files) {
    const target = await readlink(join(snapshot, file.path)).catch(() => undefined);
    if (target !== undefined) expect([basename(target), await readFile(join(snapshot, file.path))]).toEqual([etagOf(file), file.bytes]);
  }
  const ref = await readFile(join(folder, "refs/holdfast/test"), "utf8").catch(() => undefined);
  if (ref !== undefined) expect([ref, (await readdir(snapshot)).length]).toEqual([current.commit, rootEntries(current)]);
}

function rootEntries(of: HubModel): number {
  return new Set(of.files.map((file) => file.path.split("/")[0])).size;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

describe("kill -9", () => {
  it(
    "F01 at random moments: nothing wrong ever has a final name, and the next run converges without fetching proven files again",
    { timeout: 120_000 },
    async () => {
      current = model;
      world.hub.switches.slowMs.set("one.safetensors", 3).set("two.safetensors", 2).set("sub/three.bin", 4);
      for (let round = 0; round < 10; round++) {
        await child({}, 250 + Math.floor(Math.random() * 500));
        await expectNothingWrong();
      }
      world.hub.switches.slowMs.clear();
      world.hub.sent();
      const proven = await namesIn(join(repoFolder(world, model), "blobs"));
      expect(await child()).toBe(0);
      const sent = new Set(world.hub.sent());
      expect(model.files.filter((file) => sent.has(file.path) && proven.includes(etagOf(file)))).toEqual([]);
      await expectNothingWrong();
      expect(await readFile(join(repoFolder(world, model), "refs/holdfast/test"), "utf8")).toBe(model.commit);
    },
  );

  it(
    "F02 F03 before and after every step on the disk: the next run finishes, fetches nothing that was proven and leaves no temporary file",
    { timeout: 180_000 },
    async () => {
      current = small;
      let end: number | string = "SIGKILL";
      let steps = 0;
      while (end === "SIGKILL") {
        steps += 1;
        await world.close();
        world = await openHubWorld([small]);
        end = await child({ dieAtStep: steps });
        await expectNothingWrong();
        world.hub.sent();
        const there = await namesIn(join(repoFolder(world, small), "blobs"));
        await world.writer.pull(pullOf(small), world.context());
        const sent = new Set(world.hub.sent());
        expect(small.files.filter((file) => sent.has(file.path) && there.includes(etagOf(file)))).toEqual([]);
        await expectNothingWrong();
        const left = await readdir(repoFolder(world, small), { recursive: true });
        expect(left.filter((path) => basename(path).startsWith(".holdfast-") || path.endsWith("-part"))).toEqual([]);
      }
      expect(end).toBe(0);
      expect(steps).toBeGreaterThan(12);
    },
  );
});

describe("what a dead run left", () => {
  /** The name that a run which has ended by now gave to an unfinished write. */
  function unfinished(folder: string): string {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const name = createDisk({ quarantineRoot: world.quarantine }).temporaryName(join(folder, "x"));
    return name.replace(`-${process.pid}-`, `-${pid}-`);
  }

  async function leftIn(folder: string): Promise<readonly string[]> {
    return (await readdir(folder, { recursive: true })).filter((path) => basename(path).startsWith(".holdfast-"));
  }

  it("F02 is removed from every folder of the cache that a pull writes to, however deep", async () => {
    current = small;
    await world.writer.pull(pullOf(small), world.context());
    const folder = repoFolder(world, small);
    const snapshot = join(folder, "snapshots", small.commit);
    for (const place of [
      world.cacheDir,
      snapshot,
      join(snapshot, "sub"),
      join(folder, "trees"),
      join(folder, "refs/holdfast"),
      join(folder, "blobs"),
    ])
      await writeFile(unfinished(place), "half");
    await world.writer.pull(pullOf(small), world.context());
    expect(await leftIn(world.cacheDir)).toEqual([]);
    await expectNothingWrong();
  });

  it("F02 is removed from every folder of a plain folder's records", async () => {
    await world.close();
    world = await openHubWorld([small], "directory");
    const dir = join(world.root, "models/one");
    const request = pullOf(small, { layout: "dir", dir, refs: [] });
    await world.writer.pull(request, world.context());
    const records = join(dir, ".cache/huggingface");
    for (const place of [dir, records, join(records, "trees"), join(records, "download"), join(records, "download/sub")])
      await writeFile(unfinished(place), "half");
    await world.writer.pull(request, world.context());
    expect(await leftIn(dir)).toEqual([]);
  });
});
