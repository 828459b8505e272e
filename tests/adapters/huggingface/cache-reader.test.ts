import { chmod, lstat, mkdir, readdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { createHubCacheReader, type HubCacheReaderOptions } from "../../../src/adapters/huggingface/cache-reader.ts";
import type { FactsMemory } from "../../../src/adapters/huggingface/snapshot-facts.ts";
import type { Holding, Observation, ObservedArtifact, VerificationLevel } from "../../../src/domain/observed.ts";
import type { HeaderFinding, ModelHeaders } from "../../../src/ports/model-headers.ts";
import type { ModelReader } from "../../../src/ports/model-store.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import { memoryHashCache, openHubWorld, refOf, repoFolder, type HubWorld } from "./hub-world.ts";
import { installInCache } from "./install.ts";

const model = hubModel("org/model", {
  "config.json": '{"a":1}',
  "sub/tokenizer.json": noise("tokenizer", 900),
  "model.safetensors": noise("weights", 20_000),
});
const other = hubModel("gpt2", { "config.json": "{}" });
let world: HubWorld;

beforeEach(async () => {
  world = await openHubWorld([]);
  await installInCache(world.cacheDir, model);
});
afterEach(() => world.close());

type Observed = Extract<Observation, { state: "observed" }>;

function readerWith(options: Partial<HubCacheReaderOptions>): ModelReader {
  const hasher = createFileHasher({ cache: memoryHashCache(), workers: 1, clock: { now: () => "2026-01-01T00:00:00.000Z" } });
  return createHubCacheReader({ cacheDir: world.cacheDir, hasher, headers: undefined, ...options });
}

async function observe(level: VerificationLevel = "presence", reader = world.reader): Promise<Observed> {
  const seen = await reader.observe({ level }, new AbortController().signal);
  if (seen.state !== "observed") throw new Error(seen.failure.message);
  return seen;
}

async function holding(of: HubModel = model, level: VerificationLevel = "presence"): Promise<Holding> {
  const found = (await observe(level)).holdings.find((candidate) => candidate.ref === refOf(of));
  if (found === undefined) throw new Error("not held");
  return found;
}

async function artifact(path: string, level: VerificationLevel = "presence"): Promise<ObservedArtifact | undefined> {
  return (await holding(model, level)).artifacts.find((candidate) => candidate.path === path);
}

const folder = (of: HubModel = model): string => repoFolder(world, of);
const link = (path: string): string => join(folder(), "snapshots", model.commit, path);
const blob = (path: string): string =>
  join(folder(), "blobs", etagOf(model.files.find((file) => file.path === path) ?? { path, bytes: Buffer.of(), sha256: "", blobId: "", lfs: false }));

describe("a Hub cache is read as holdings", () => {
  it("one per snapshot, with names, commit, files in folders, keys of the blobs and the declared hashes", async () => {
    await mkdir(join(folder(), "refs/holdfast"), { recursive: true });
    await writeFile(join(folder(), "refs/holdfast/qwen"), model.commit);
    const found = await holding();
    expect(found).toMatchObject({
      store: "huggingface",
      ref: refOf(model),
      contentId: model.commit,
      names: ["holdfast/qwen", "main"],
      location: join(folder(), "snapshots", model.commit),
    });
    const weights = model.files[2];
    expect(found.artifacts.map((file) => file.path)).toEqual(["config.json", "model.safetensors", "sub/tokenizer.json"]);
    expect(found.artifacts[1]).toEqual({
      path: "model.safetensors",
      size: 20_000,
      declaredSha256: weights?.sha256,
      blob: `org/model:${weights?.sha256}`,
      found: { state: "present", level: "presence" },
    });
  });

  it("several repositories and revisions, without an organisation too, sorted by reference", async () => {
    const revised = hubModel("org/model", { "config.json": '{"a":2}' });
    await installInCache(world.cacheDir, revised);
    await installInCache(world.cacheDir, other);
    expect((await observe()).holdings.map((found) => found.ref)).toEqual([refOf(model), refOf(revised), refOf(other)].toSorted());
  });

  it("a cache that does not exist is empty, not unknown", async () => {
    const seen = await observe("full", readerWith({ cacheDir: join(world.root, "nowhere/hub") }));
    expect(seen).toMatchObject({ complete: true, holdings: [], unreadable: [] });
    expect(seen.freeBytes).toBeGreaterThan(0);
  });

  it("through a cache folder that is itself a link", async () => {
    await symlink(world.cacheDir, join(world.root, "elsewhere"));
    expect(
      (await observe("full", readerWith({ cacheDir: join(world.root, "elsewhere") }))).holdings[0]?.artifacts.every(
        ({ found }) => found.state === "present",
      ),
    ).toBe(true);
  });

  it("bytes in the shared store, with one key for all repositories that use them", async () => {
    const twin = hubModel("org/twin", { "model.safetensors": noise("weights", 20_000) });
    await installInCache(world.cacheDir, twin);
    const xetHash = "cd".padEnd(64, "1");
    await mkdir(join(world.cacheDir, "blobs/cd"), { recursive: true });
    await rename(blob("model.safetensors"), join(world.cacheDir, "blobs/cd", xetHash));
    for (const repo of ["org--model", "org--twin"]) {
      const path = join(world.cacheDir, `models--${repo}`, "blobs", basename(blob("model.safetensors")));
      await rm(path, { force: true });
      await symlink(`../../blobs/cd/${xetHash}`, path);
    }
    const seen = await observe("full");
    const weights = seen.holdings.map((found) => found.artifacts.find((file) => file.path === "model.safetensors"));
    expect(weights.map((file) => file?.blob)).toEqual([`shared:${xetHash}`, `shared:${xetHash}`]);
    expect(weights.every((file) => file?.found.state === "present" && file.found.level === "full" && file.found.sha256 === file.declaredSha256)).toBe(
      true,
    );
  });

  it("files instead of links, as on systems that have none", async () => {
    await rm(link("model.safetensors"));
    await writeFile(link("model.safetensors"), model.files[2]?.bytes ?? "");
    expect(await artifact("model.safetensors", "full")).toMatchObject({
      declaredSha256: model.files[2]?.sha256,
      found: { state: "present", level: "full", sha256: model.files[2]?.sha256 },
    });
  });
});

describe("what is not whole", () => {
  it("a link to nothing is a missing file, with the size that its commit lists", async () => {
    await rm(blob("model.safetensors"));
    expect(await artifact("model.safetensors")).toMatchObject({ size: 20_000, found: { state: "missing" } });
  });

  it("a short file is incomplete, by the list of its commit", async () => {
    await truncate(blob("model.safetensors"), 5);
    expect(await artifact("model.safetensors")).toMatchObject({ size: 20_000, found: { state: "incomplete", size: 5 } });
  });

  it("a chosen part of a commit lacks nothing", async () => {
    await rm(link("model.safetensors"));
    expect((await holding()).artifacts.map((file) => [file.path, file.found.state])).toEqual([
      ["config.json", "present"],
      ["sub/tokenizer.json", "present"],
    ]);
  });

  it("without a list of the commit sizes are those found", async () => {
    await rm(join(folder(), "trees"), { recursive: true });
    await truncate(blob("sub/tokenizer.json"), 5);
    expect(await artifact("sub/tokenizer.json")).toMatchObject({ size: 5, found: { state: "present" } });
  });

  it("a changed small file outside LFS is found by its Git id, and once that was proven by its hash", async () => {
    const memory = textMemory();
    const reader = readerWith({ memory });
    await observe("full", reader);
    await writeFile(blob("config.json"), '{"a":9}');
    const seen = (await observe("full", reader)).holdings[0]?.artifacts.find((file) => file.path === "config.json");
    expect(seen).toMatchObject({ declaredSha256: model.files[0]?.sha256, found: { state: "present", level: "full" } });
    expect(seen?.found.state === "present" && "sha256" in seen.found && seen.found.sha256 !== seen.declaredSha256).toBe(true);
    expect(await artifact("config.json", "full")).toMatchObject({ found: { state: "unreadable", failure: { code: "integrity" } } });
  });
});

describe("what others leave in a cache", () => {
  it("is passed over: locks, tags, known absences, unfinished downloads, other kinds of repository", async () => {
    const before = await observe();
    await mkdir(join(world.cacheDir, ".locks/models--org--model"), { recursive: true });
    await mkdir(join(world.cacheDir, "datasets--org--data/snapshots", "a".repeat(40)), { recursive: true });
    await writeFile(join(world.cacheDir, "CACHEDIR.TAG"), "");
    await writeFile(join(world.cacheDir, "version.txt"), "1");
    await mkdir(join(folder(), ".no_exist", model.commit), { recursive: true });
    await writeFile(join(folder(), "blobs", "x.incomplete"), "half");
    await writeFile(join(folder(), "snapshots", ".DS_Store"), "");
    expect({ ...(await observe()), freeBytes: 0 }).toEqual({ ...before, freeBytes: 0 });
  });

  it("is warned about where it hides a model from other programs", async () => {
    await writeFile(join(folder(), "refs/main"), `${model.commit}\n`);
    await writeFile(join(folder(), "refs/stale"), "b".repeat(40));
    await writeFile(join(folder(), "refs/broken"), "main");
    await mkdir(join(folder(), "snapshots/main"));
    await mkdir(join(world.cacheDir, "models--a--b--c"));
    const seen = await observe();
    expect(seen.holdings[0]?.names).toEqual(["main"]);
    const warnings = seen.warnings.join("\n");
    for (const part of ["main in", "stale of org/model", "broken in", "snapshots/main is not a snapshot", "models--a--b--c"])
      expect(warnings).toContain(part);
  });

  it("a repository without refs is read", async () => {
    await rm(join(folder(), "refs"), { recursive: true });
    expect((await holding()).names).toEqual([]);
  });

  it("SEC-04 a link out of the cache is an unsafe file, never followed", async () => {
    await writeFile(join(world.root, "secret"), "secret");
    await rm(link("config.json"));
    await symlink(join(world.root, "secret"), link("config.json"));
    await rm(blob("model.safetensors"));
    await symlink(join(world.root, "secret"), blob("model.safetensors"));
    expect(await artifact("config.json", "full")).toMatchObject({ found: { state: "unreadable", failure: { code: "unsafe-path" } } });
    expect(await artifact("model.safetensors", "full")).toMatchObject({ found: { state: "unreadable", failure: { code: "unsafe-path" } } });
  });

  it.each(["repository", "snapshot", "blobs"])("SEC-04 a %s that is a link is reported as unsafe", async (which) => {
    const path = { repository: folder(), snapshot: join(folder(), "snapshots", model.commit), blobs: join(folder(), "blobs") }[which] ?? "";
    await rename(path, join(world.root, "moved"));
    await symlink(join(world.root, "moved"), path);
    const seen = await observe("full");
    if (which === "blobs")
      expect(seen.holdings[0]?.artifacts.every(({ found }) => found.state === "unreadable" && found.failure.code === "unsafe-path")).toBe(true);
    else expect(seen.unreadable).toMatchObject([{ ref: refOf(model), failure: { code: "unsafe-path" } }]);
  });

  it.each(["repository", "snapshots"])(
    "SEC-04 a %s that is a link to anywhere proves no absence, in a listing or for one reference",
    async (which) => {
      const path = which === "repository" ? folder() : join(folder(), "snapshots");
      const unseen = `org/model@${"b".repeat(40)}`;
      const inspect = (ref: string): ReturnType<ModelReader["inspect"]> => world.reader.inspect(ref, "presence", new AbortController().signal);
      await installInCache(world.cacheDir, other);
      await rename(path, join(world.root, "moved"));
      await symlink(join(world.root, "moved"), path);
      const seen = await observe();
      expect(seen).toMatchObject({ complete: false, unreadable: [{ ref: refOf(model), failure: { code: "unsafe-path" } }] });
      expect(seen.holdings.map((found) => found.ref)).toEqual([refOf(other)]);
      for (const ref of [refOf(model), unseen]) expect(await inspect(ref)).toMatchObject({ ref, failure: { code: "unsafe-path" } });
      await rm(path);
      await symlink(join(world.root, "nowhere"), path);
      expect(await observe()).toMatchObject({ complete: false, unreadable: [{ ref: "org/model", failure: { code: "unsafe-path" } }] });
      expect(await inspect(refOf(model))).toMatchObject({ ref: refOf(model), failure: { code: "unsafe-path" } });
    },
  );

  const root = process.getuid?.() === 0;
  it("one repository that cannot be read hides no other, and absence proves nothing then", async () => {
    await installInCache(world.cacheDir, other);
    if (root) {
      await rm(join(folder(), "snapshots"), { recursive: true });
      await writeFile(join(folder(), "snapshots"), "a file where a folder must be");
    } else await chmod(join(folder(), "snapshots"), 0);
    const seen = await observe();
    expect(seen.complete).toBe(false);
    expect(seen.holdings.map((found) => found.ref)).toEqual([refOf(other)]);
    expect(seen.unreadable).toMatchObject([{ ref: "org/model" }]);
    await expect(world.reader.inspect(refOf(model), "presence", new AbortController().signal)).rejects.toMatchObject({ name: "HoldfastError" });
    if (!root) await chmod(join(folder(), "snapshots"), 0o755);
  });
});

describe("facts", () => {
  it("are read once per commit and remembered; a changed set of files is read again", async () => {
    const memory = textMemory();
    const asked: string[] = [];
    const headers = headersOf((path) => {
      asked.push(path);
      return { state: "understood", facts: { format: "safetensors", contextLength: 4096, capabilities: { tools: { value: true, from: "header" } } } };
    });
    const reader = readerWith({ headers, memory });
    const [first, again] = [await observe("presence", reader), await observe("presence", reader)];
    expect(first.holdings[0]?.facts).toEqual({
      format: "safetensors",
      contextLength: 4096,
      capabilities: { tools: { value: true, from: "header" } },
    });
    expect(again.holdings[0]?.facts).toEqual(first.holdings[0]?.facts);
    expect(asked).toHaveLength(1);
    await rm(link("config.json"));
    await observe("presence", reader);
    expect(asked).toHaveLength(2);
  });

  it("a malformed header is a warning, the files are still listed", async () => {
    const headers = headersOf(() => ({ state: "malformed", failure: { code: "integrity", retry: "terminal", message: "tensors beyond the end" } }));
    const seen = await observe("stat", readerWith({ headers }));
    expect(seen.warnings.join()).toContain("tensors beyond the end");
    expect(seen.holdings[0]?.artifacts).toHaveLength(3);
  });
});

it("reading changes nothing in the cache", async () => {
  const names = async (): Promise<readonly string[]> =>
    Promise.all(
      (await readdir(world.cacheDir, { recursive: true }))
        .toSorted()
        .map(async (name) => `${name} ${(await lstat(join(world.cacheDir, name))).mtimeMs}`),
    );
  const before = await names();
  await observe("full");
  expect(await names()).toEqual(before);
  expect(dirname(folder())).toBe(world.cacheDir);
});

function headersOf(answer: (path: string) => HeaderFinding): ModelHeaders {
  return { inspectFile: () => Promise.resolve({ state: "other" }), inspectFolder: (path) => Promise.resolve(answer(path)) };
}

function textMemory(): FactsMemory {
  const texts = new Map<string, string>();
  return {
    remembered: (kind, keys) =>
      Promise.resolve(new Map(keys.flatMap((key) => [texts.get(`${kind} ${key}`) ?? []].flat().map((text) => [key, text] as const)))),
    remember: (kind, entries) => {
      for (const [key, text] of entries) texts.set(`${kind} ${key}`, text);
      return Promise.resolve();
    },
  };
}
