import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDirectoryReader } from "../../../src/adapters/directory/directory-reader.ts";
import { createFileHasher, type ClosableFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { aggregateSha256, sha256 } from "../../../src/domain/digest.ts";
import type { Holding, VerificationLevel } from "../../../src/domain/observed.ts";
import { hubModel, noise } from "../../fakes/hub-model.ts";
import { memoryHashCache } from "../huggingface/hub-world.ts";
import { installInCache, installInFolder } from "../huggingface/install.ts";

const model = hubModel("org/model", { "config.json": '{"a":1}', "sub/model.safetensors": noise("weights", 20_000) });
let root: string;
let hasher: ClosableFileHasher;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "holdfast-dir-"));
  hasher = createFileHasher({ cache: memoryHashCache(), workers: 1, clock: { now: () => "2026-01-01T00:00:00.000Z" } });
});
afterEach(async () => {
  await hasher.close();
  await rm(root, { recursive: true, force: true });
});

async function inspect(ref: string, level: VerificationLevel = "full"): Promise<Holding> {
  const found = await createDirectoryReader({ folders: [{ ref }], hasher, headers: undefined }).inspect(ref, level, new AbortController().signal);
  if (found === undefined || !("artifacts" in found)) throw new Error("absent");
  return found;
}

async function fill(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, ".."), { recursive: true });
    await writeFile(join(dir, path), text);
  }
}

function states(holding: Holding): Readonly<Record<string, string>> {
  return Object.fromEntries(holding.artifacts.map(({ path, found }) => [path, "sha256" in found ? found.sha256 : found.state]));
}

describe("a plain folder", () => {
  it("holds every regular file, hidden ones too, and gives the registry's aggregate hash", async () => {
    const dir = join(root, "model");
    await fill(dir, { ".hid/x": "h", "B.txt": "B", "config.json": "{}", "sub/model.safetensors": "weights", "tokenizer.json": "tok" });
    const holding = await inspect(dir);
    expect(holding).toMatchObject({ store: "directory", ref: dir, names: [], location: dir });
    expect(holding.contentId).toBeUndefined();
    const artifacts = holding.artifacts.flatMap(({ path, found }) => ("sha256" in found ? [{ path, sha256: found.sha256 }] : []));
    expect(artifacts.map((artifact) => artifact.path)).toEqual([".hid/x", "B.txt", "config.json", "sub/model.safetensors", "tokenizer.json"]);
    // Computed by ImageWorks for this tree.
    expect(aggregateSha256(artifacts)).toBe("96f239041b15a0d05254d150e7338dfa927ea02c359008b94c21275a603beece");
  });

  it("a linked file counts when it lies inside, is unsafe outside and missing when it leads nowhere; linked folders are left out", async () => {
    const dir = join(root, "model");
    await fill(dir, { "a.bin": "a", "real/b.bin": "b" });
    await writeFile(join(root, "secret"), "secret");
    await symlink("a.bin", join(dir, "inside.bin"));
    await symlink("../secret", join(dir, "outside.bin"));
    await symlink("nothing", join(dir, "dangling.bin"));
    await symlink("real", join(dir, "linked folder"));
    expect(states(await inspect(dir))).toEqual({
      "a.bin": sha256("a"),
      "real/b.bin": sha256("b"),
      "inside.bin": sha256("a"),
      "outside.bin": "unreadable",
      "dangling.bin": "missing",
    });
  });

  it("files with the same bytes on disk have one key", async () => {
    const dir = join(root, "model");
    await fill(dir, { "a.bin": "a", "b.bin": "b" });
    await symlink("a.bin", join(dir, "c.bin"));
    const [a, b, c] = (await inspect(dir, "presence")).artifacts.map((artifact) => artifact.blob);
    expect([a === c, a === b]).toEqual([true, false]);
  });

  it("a pipe is not opened", async () => {
    const dir = join(root, "model");
    await fill(dir, { "a.bin": "a" });
    execFileSync("mkfifo", [join(dir, "pipe")]);
    expect(states(await inspect(dir))).toEqual({ "a.bin": sha256("a") });
  });

  it("that is absent or has no file is no holding; one that is something else is unreadable beside others", async () => {
    await fill(join(root, "model"), { "a.bin": "a" });
    await mkdir(join(root, "empty"));
    await writeFile(join(root, "file"), "");
    const refs = ["absent", "empty", "file", "model"].map((name) => ({ ref: join(root, name) }));
    const seen = await createDirectoryReader({ folders: refs, hasher, headers: undefined }).observe(
      { level: "presence" },
      new AbortController().signal,
    );
    if (seen.state !== "observed") throw new Error("unknown");
    expect(seen.holdings.map((holding) => holding.ref)).toEqual([join(root, "model")]);
    expect(seen.unreadable.map((item) => item.ref)).toEqual([join(root, "file")]);
  });
});

describe("a folder that a Hub client filled", () => {
  it("has the commit of its records and the hashes that they declare; the records are no part of the model", async () => {
    const dir = join(root, "model");
    await installInFolder(dir, model);
    const holding = await inspect(dir);
    expect(holding.contentId).toBe(model.commit);
    expect(holding.artifacts.map((artifact) => artifact.path)).toEqual(["config.json", "sub/model.safetensors"]);
    expect(holding.artifacts[1]).toMatchObject({ declaredSha256: model.files[1]?.sha256, found: { sha256: model.files[1]?.sha256 } });
  });

  it("shows what was lost or cut since", async () => {
    const dir = join(root, "model");
    await installInFolder(dir, model);
    await rm(join(dir, "config.json"));
    await truncate(join(dir, "sub/model.safetensors"), 7);
    expect(states(await inspect(dir, "presence"))).toEqual({ "config.json": "missing", "sub/model.safetensors": "incomplete" });
  });

  it("has no commit when its files come from several", async () => {
    const dir = join(root, "model");
    await installInFolder(dir, model);
    await installInFolder(dir, hubModel("org/model", { "extra.json": "{}" }));
    expect((await inspect(dir)).contentId).toBeUndefined();
  });

  it("may be a snapshot of a Hub cache, whose links lead to its blobs", async () => {
    await installInCache(root, model);
    const dir = join(root, "models--org--model/snapshots", model.commit);
    const holding = await inspect(dir);
    expect(holding.contentId).toBe(model.commit);
    expect(states(holding)).toEqual(Object.fromEntries(model.files.map((file) => [file.path, file.sha256])));
    expect(holding.artifacts[1]?.declaredSha256).toBe(model.files[1]?.sha256);
  });
});
