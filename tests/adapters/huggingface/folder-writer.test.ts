import { lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requireOrdinaryFolder } from "../../../src/adapters/huggingface/folder-remove.ts";
import { toFailure, type FailureCode } from "../../../src/domain/failure.ts";
import type { Holding } from "../../../src/domain/observed.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import { openHubWorld, pullOf, type HubWorld } from "./hub-world.ts";
import { installInFolder, treeText } from "./install.ts";

const first = hubModel("org/model", { "config.json": '{"a":1}', "sub/model.safetensors": noise("weights", 50_000), "old.bin": noise("old", 2000) });
const second = hubModel("org/model", { "config.json": '{"a":2}', "sub/model.safetensors": noise("weights", 50_000) });
let world: HubWorld;
let dir: string;

beforeEach(async () => {
  world = await openHubWorld([first, second], "directory");
  dir = join(world.root, "models/one");
});
afterEach(() => world.close());

const pull = (model: HubModel): Promise<Holding> => world.writer.pull(pullOf(model, { layout: "dir", dir, refs: [] }), world.context());
const remove = (ref: string, quarantine = false): ReturnType<HubWorld["writer"]["remove"]> =>
  world.writer.remove({ ref, quarantine }, world.context());
const record = (path: string): string => join(dir, ".cache/huggingface/download", `${path}.metadata`);

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

async function expectFiles(model: HubModel): Promise<void> {
  for (const file of model.files) expect(await readFile(join(dir, file.path))).toEqual(file.bytes);
}

describe("a pull into a plain folder", () => {
  it("leaves real files, and records that are not older than them", async () => {
    const holding = await pull(first);
    await expectFiles(first);
    expect(holding).toMatchObject({ store: "directory", ref: dir, contentId: first.commit });
    const [commit, etag, time] = (await readFile(record("sub/model.safetensors"), "utf8")).split("\n");
    expect([commit, etag]).toEqual([first.commit, first.files[1] === undefined ? "" : etagOf(first.files[1])]);
    expect(Number(time) * 1000).toBeGreaterThanOrEqual((await stat(join(dir, "sub/model.safetensors"))).mtimeMs - 1);
    expect(await readFile(join(dir, ".cache/huggingface/.gitignore"), "utf8")).toBe("*");
    expect(await readFile(join(dir, ".cache/huggingface/trees", `${first.commit}.json`), "utf8")).toBe(treeText(first));
    expect((await readdir(dir)).toSorted()).toEqual([".cache", "config.json", "old.bin", "sub"]);
    expect((await readdir(join(dir, ".cache/huggingface/download"))).filter((name) => name.endsWith("part"))).toEqual([]);
  });

  it("gives no file its name before all are proven", async () => {
    world.hub.switches.wrongBytes.add("sub/model.safetensors");
    expect(await codeOf(pull(first))).toBe("integrity");
    expect(await readdir(dir)).toEqual([".cache"]);
    world.hub.switches.wrongBytes.clear();
    await pull(first);
    await expectFiles(first);
    expect(world.hub.bytesSent("old.bin")).toBe(2000);
  });

  it("to another commit fetches what differs, keeps what it replaces, and the folder is that commit", async () => {
    await pull(first);
    world.hub.sent();
    const holding = await pull(second);
    expect(world.hub.sent()).toEqual(["config.json"]);
    expect(holding.contentId).toBe(second.commit);
    expect(await readFile(join(dir, "config.json"), "utf8")).toBe('{"a":2}');
    expect(await exists(record("old.bin"))).toBe(false);
    const kept = (await readdir(world.quarantine, { recursive: true })).filter((name) => name.endsWith("config.json"));
    expect(await readFile(join(world.quarantine, kept[0] ?? ""), "utf8")).toBe('{"a":1}');
  });

  it("proves what another program put there instead of fetching it", async () => {
    await installInFolder(dir, first);
    await pull(first);
    expect(world.hub.sent()).toEqual([]);
  });

  it.each([".git/config", "sub/.git/hooks/pre-commit", ".cache/huggingface/download/config.json.metadata"])(
    "SEC-01 never writes %s",
    async (path) => {
      const request = pullOf(first, { layout: "dir", dir, refs: [], files: [{ path, size: 1, blobId: "a".repeat(40) }] });
      expect(await codeOf(world.writer.pull(request, world.context()))).toBe("unsafe-path");
      expect(await exists(dir)).toBe(false);
    },
  );

  it("SEC-03 SEC-04 goes through no link inside the folder", async () => {
    const canary = join(world.root, "canary");
    await mkdir(canary);
    await mkdir(dir, { recursive: true });
    await symlink(canary, join(dir, "sub"));
    expect(await codeOf(pull(first))).toBe("unsafe-path");
    await rename(join(dir, "sub"), join(dir, "was sub"));
    await rename(join(dir, ".cache"), join(dir, "was cache"));
    await symlink(canary, join(dir, ".cache"));
    expect(await codeOf(pull(first))).toBe("unsafe-path");
    expect(await readdir(canary)).toEqual([]);
  });

  it("refuses the other layout and folders that are not absolute", async () => {
    expect(await codeOf(world.writer.pull(pullOf(first), world.context()))).toBe("invalid-input");
    expect(await codeOf(world.writer.pull(pullOf(first, { layout: "dir", dir: "relative" }), world.context()))).toBe("invalid-input");
    expect(await codeOf(world.writer.tag({ from: dir, to: "x", digest: "0".repeat(64) }, world.context()))).toBe("unsupported");
  });
});

describe("removing a plain folder", () => {
  it("takes everything in it, counts the model's bytes, and is done when it is absent", async () => {
    await pull(first);
    expect(await remove(dir)).toEqual({ freedBytes: first.files.reduce((sum, file) => sum + file.bytes.length, 0) });
    expect(await exists(dir)).toBe(false);
    expect(await readdir(dirname(dir))).toEqual([]);
    expect(await remove(dir)).toEqual({ freedBytes: 0 });
  });

  it("keeps the downloaded files when asked to", async () => {
    await pull(first);
    const { quarantine } = await remove(dir, true);
    for (const file of first.files) expect(await readFile(join(quarantine ?? "", "files", file.path))).toEqual(file.bytes);
    expect(await exists(dir)).toBe(false);
  });

  it("SEC-04 leaves what a user put there and says so; files of an earlier commit go too", async () => {
    await pull(first);
    await pull(second);
    await rm(record("config.json"));
    await writeFile(join(dir, "config.json"), "written by the user, with a name that the list has");
    await mkdir(join(dir, "lora"));
    await writeFile(join(dir, "lora/adapter.bin"), "mine");
    await writeFile(join(dir, "notes.txt"), "mine too");
    await mkdir(join(dir, ".cache/other"));
    await writeFile(join(dir, ".cache/other/file"), "another program's");
    expect(await exists(join(dir, "old.bin"))).toBe(true);
    const { quarantine } = await remove(dir, true);
    const left = await readdir(dir, { recursive: true, withFileTypes: true });
    const files = left.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
    expect(files.toSorted()).toEqual([".cache/other/file", "config.json", "lora/adapter.bin", "notes.txt"]);
    expect(await readFile(join(dir, "lora/adapter.bin"), "utf8")).toBe("mine");
    expect((await readdir(join(quarantine ?? "", "files"))).toSorted()).toEqual(["old.bin", "sub"]);
    expect(world.events).toContainEqual({ type: "note", id: "a1", message: expect.stringContaining("left 4 files that are not of the model") });
    expect(await codeOf(remove(dir))).toBe("unsupported");
  });

  it("SEC-04 refuses a folder that no record says was downloaded, and a link to a folder", async () => {
    await mkdir(join(dir, ".cache/huggingface/download"), { recursive: true });
    await writeFile(join(dir, "only here.bin"), "cannot be fetched again");
    await writeFile(record("only here.bin"), "forged");
    expect(await codeOf(remove(dir))).toBe("unsupported");
    expect(await codeOf(remove(dir, true))).toBe("unsupported");
    const linked = join(world.root, "linked");
    await symlink(dir, linked);
    expect(await codeOf(remove(linked))).toBe("unsupported");
    expect([await exists(linked), await readFile(join(dir, "only here.bin"), "utf8")]).toEqual([true, "cannot be fetched again"]);
    const empty = join(world.root, "models/empty");
    await mkdir(empty);
    expect([await remove(empty), await exists(empty)]).toEqual([{ freedBytes: 0 }, true]);
  });

  it("finishes what a crash left when no file is there any more", async () => {
    await pull(first);
    for (const file of first.files) await rm(join(dir, file.path));
    await rm(join(dir, ".cache/huggingface/trees"), { recursive: true });
    for (const file of first.files) await rm(record(file.path));
    expect(await remove(dir)).toEqual({ freedBytes: 0 });
    expect(await exists(dir)).toBe(false);
  });

  it("SEC-04 removes a link in the place of a file, never what it leads to, and no records through a link", async () => {
    const precious = join(world.root, "precious");
    await mkdir(precious);
    await writeFile(join(precious, "file"), "precious");
    await pull(first);
    await rm(join(dir, "old.bin"));
    await symlink(join(precious, "file"), join(dir, "old.bin"));
    await symlink(precious, join(dir, "linked folder"));
    await rename(join(dir, ".cache/huggingface"), join(precious, "records"));
    await symlink(join(precious, "records"), join(dir, ".cache/huggingface"));
    expect(await codeOf(remove(dir))).toBe("unsafe-path");
    expect(await exists(join(dir, "config.json"))).toBe(true);
    await rm(join(dir, ".cache/huggingface"));
    await rename(join(precious, "records"), join(dir, ".cache/huggingface"));
    await remove(dir);
    expect(await readdir(dir)).toEqual(["linked folder"]);
    expect(await readFile(join(precious, "file"), "utf8")).toBe("precious");
  });

  // Only the guard is asked here: were it broken, a real removal would cost the home folder.
  it.each(["/", "/models", homedir(), dirname(homedir()), process.cwd(), dirname(process.cwd()), "relative/model", "/tmp/../etc/x"])(
    "refuses %s",
    (ref) => {
      expect(() => requireOrdinaryFolder(ref)).toThrowError(/it is not the folder of a model/);
    },
  );

  it("asks that guard first", async () => {
    expect(await codeOf(remove(join("relative", "absent")))).toBe("unsafe-path");
  });
});
