import { execFile } from "node:child_process";
import { lstat, mkdir, readFile, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Holding, Observation } from "../../src/domain/observed.ts";
import { openHubWorld, pullOf, refOf, repoFolder, type HubWorld } from "../adapters/huggingface/hub-world.ts";
import { etagOf, hubModel, noise, type HubModel } from "../fakes/hub-model.ts";

/** A Python that can import huggingface_hub; the `hf` command is taken from its module. */
const python = process.env["HOLDFAST_TEST_PYTHON"];
const run = promisify(execFile);
if (python === undefined) console.warn("SKIPPED interop with the Python client of the Hub: HOLDFAST_TEST_PYTHON is not set");

const model = hubModel("org/model", {
  "config.json": '{"model_type":"test"}',
  "sub/tokenizer.json": '{"é":1}',
  "empty.txt": "",
  "model.safetensors": noise("weights", 300_000),
});
const other = hubModel("org/other", { "model.safetensors": noise("weights", 300_000), "README.md": "other" });
let world: HubWorld;

beforeEach(async () => {
  world = await openHubWorld([model, other]);
});
afterEach(() => world.close());

interface Output {
  readonly code: number;
  readonly text: string;
}

async function py(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Output> {
  const options = {
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: world.root,
      HF_HOME: world.root,
      HF_HUB_CACHE: world.cacheDir,
      HF_ENDPOINT: world.hub.endpoint,
      HF_HUB_DISABLE_XET: "1",
      HF_HUB_DISABLE_TELEMETRY: "1",
      HF_HUB_DISABLE_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...env,
    },
  };
  try {
    const { stdout, stderr } = await run(python ?? "", [...args], options);
    return { code: 0, text: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = { code: 1, stdout: "", stderr: String(error), ...(typeof error === "object" ? error : {}) };
    return { code: Number(code), text: `${stdout}${stderr}` };
  }
}

const hf = (args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Output> =>
  py(["-c", "from huggingface_hub.cli.hf import main; main()", ...args], env);

function snapshotDownload(call: string, env: Readonly<Record<string, string>> = {}): Promise<Output> {
  return py(["-c", `from huggingface_hub import snapshot_download; print(snapshot_download(${call}))`], env);
}

async function observed(): Promise<Extract<Observation, { state: "observed" }>> {
  const seen = await world.reader.observe({ level: "full" }, new AbortController().signal);
  if (seen.state !== "observed") throw new Error(seen.failure.message);
  return seen;
}

function expectHashes(holding: Holding | undefined, of: HubModel): void {
  const hashes = Object.fromEntries((holding?.artifacts ?? []).map(({ path, found }) => [path, "sha256" in found ? found.sha256 : found.state]));
  expect(hashes).toEqual(Object.fromEntries(of.files.map((file) => [file.path, file.sha256])));
}

describe.skipIf(python === undefined)("a snapshot of ours and the Python client", () => {
  it("loads offline, by our ref and by its commit", async () => {
    await world.writer.pull(pullOf(model), world.context());
    const offline = { HF_HUB_OFFLINE: "1" };
    const path = join(repoFolder(world, model), "snapshots", model.commit);
    expect((await snapshotDownload('"org/model", revision="holdfast/test", local_files_only=True', offline)).text.trim()).toBe(path);
    expect((await snapshotDownload(`"org/model", revision="${model.commit}", local_files_only=True`, offline)).text.trim()).toBe(path);
  });

  it("loads by branch when the plan says so", async () => {
    await world.writer.pull(pullOf(model, { refs: ["main"] }), world.context());
    expect((await snapshotDownload('"org/model", local_files_only=True')).code).toBe(0);
  });

  it("a chosen part is known to be one", async () => {
    const request = pullOf(model);
    await world.writer.pull({ ...request, files: request.files.filter((file) => file.path === "config.json") }, world.context());
    expect((await snapshotDownload('"org/model", revision="holdfast/test", local_files_only=True')).text).toContain("incomplete");
    expect((await snapshotDownload('"org/model", revision="holdfast/test", local_files_only=True, allow_patterns=["config.json"]')).code).toBe(0);
  });

  it("is not fetched again online", async () => {
    await world.writer.pull(pullOf(model), world.context());
    world.hub.sent();
    expect((await snapshotDownload('"org/model"')).code).toBe(0);
    expect(world.hub.sent()).toEqual([]);
  });

  it("is listed without a warning, verified without a complaint, and left alone by prune", async () => {
    await world.writer.pull(pullOf(model), world.context());
    const listed = await hf(["cache", "ls", "--revisions", "--show-warnings"]);
    expect(listed.text).toContain("org/model");
    expect(listed.text).toContain("holdfast/test");
    expect(listed.text.toLowerCase()).not.toContain("warning");
    const verified = await hf(["cache", "verify", "org/model", "--revision", model.commit, "--fail-on-missing-files", "--fail-on-extra-files"]);
    expect([verified.code, verified.text]).toEqual([0, expect.stringContaining("Verified 4 file(s)")]);
    await hf(["cache", "prune", "-y"]);
    expectHashes((await observed()).holdings[0], model);
  });

  it("is listed without a warning beside the part of an unfinished download, which prune leaves", async () => {
    await world.writer.pull(pullOf(model), world.context());
    const part = join(repoFolder(world, model), "blobs", `.${"a".repeat(64)}.holdfast-part`);
    await writeFile(part, "half");
    const listed = await hf(["cache", "ls", "--show-warnings"]);
    expect(listed.text.toLowerCase()).not.toContain("warning");
    await hf(["cache", "prune", "-y"]);
    expect(await readFile(part, "utf8")).toBe("half");
  });

  it("after a removal nothing is left that it would warn about", async () => {
    await world.writer.pull(pullOf(model), world.context());
    await world.writer.pull(pullOf(other), world.context());
    await world.writer.remove({ ref: refOf(model), quarantine: false }, world.context());
    const listed = await hf(["cache", "ls", "--show-warnings"]);
    expect(listed.text).toContain("org/other");
    expect(listed.text).not.toContain("org/model");
    expect(listed.text.toLowerCase()).not.toContain("warning");
  });

  it("the list of the commit is byte for byte the one that it writes", async () => {
    await world.writer.pull(pullOf(model), world.context());
    const name = `trees/${model.commit}.json`;
    const ours = await readFile(join(repoFolder(world, model), name), "utf8");
    await snapshotDownload('"org/model"', { HF_HUB_CACHE: join(world.root, "python") });
    expect(ours).toBe(await readFile(join(world.root, "python/models--org--model", name), "utf8"));
  });

  it("a plain folder of ours is recognised without a question and without a transfer", async () => {
    const dir = join(world.root, "plain");
    const folders = await openHubWorld([model], "directory");
    try {
      await folders.writer.pull(pullOf(model, { layout: "dir", dir, refs: [] }), folders.context());
    } finally {
      await folders.close();
    }
    const call = `"org/model", revision="${model.commit}", local_dir="${dir}"`;
    expect((await snapshotDownload(call)).code).toBe(0);
    expect(world.hub.sent()).toEqual([]);
    expect(world.hub.requests.filter((request) => request.url.includes("/resolve/"))).toEqual([]);
  });
});

describe.skipIf(python === undefined)("what the Python client wrote", () => {
  it("is read as holdings whose hashes verify, and nothing of it is fetched again", async () => {
    await snapshotDownload('"org/model"');
    const seen = await observed();
    expect(seen).toMatchObject({ complete: true, unreadable: [], warnings: [] });
    expect(seen.holdings).toMatchObject([{ ref: refOf(model), names: ["main"] }]);
    expectHashes(seen.holdings[0], model);
    world.hub.sent();
    await world.writer.pull(pullOf(model), world.context());
    expect(world.hub.sent()).toEqual([]);
  });

  it("into a plain folder is read with its commit", async () => {
    const dir = join(world.root, "plain");
    await snapshotDownload(`"org/model", local_dir="${dir}"`);
    const folders = await openHubWorld([], "directory");
    const holding = await folders.reader.inspect(dir, "full", new AbortController().signal);
    await folders.close();
    if (holding === undefined || !("artifacts" in holding)) throw new Error("absent");
    expect(holding.contentId).toBe(model.commit);
    expectHashes(holding, model);
  });

  it("in its shared store is read, and removed with its last user only", async () => {
    await snapshotDownload('"org/model"');
    await snapshotDownload('"org/other"');
    const weights = model.files[3];
    const publish = `
import os, sys
from huggingface_hub.utils import _shared_blobs as s
for repo in ["org--model", "org--other"]:
    blob = os.path.join(sys.argv[1], "models--" + repo, "blobs", sys.argv[2])
    print(s.publish_blob_to_shared_store(blob_path=blob, xet_hash="ef" * 32, cache_dir=sys.argv[1], expected_size=300000))`;
    expect((await py(["-c", publish, world.cacheDir, weights === undefined ? "" : etagOf(weights)])).text.trim()).toBe("True\nTrue");
    const seen = await observed();
    for (const [index, of] of [model, other].entries()) expectHashes(seen.holdings[index], of);
    expect(new Set(seen.holdings.map((holding) => holding.artifacts.find((file) => file.path === "model.safetensors")?.blob)).size).toBe(1);
    const payload = join(world.cacheDir, "blobs/ef", "ef".repeat(32));
    const first = await world.writer.remove({ ref: refOf(model), quarantine: false }, world.context());
    expect(first.freedBytes).toBeLessThan(300_000);
    expect((await lstat(payload)).isFile()).toBe(true);
    expectHashes((await observed()).holdings[0], other);
    const second = await world.writer.remove({ ref: refOf(other), quarantine: false }, world.context());
    expect(second.freedBytes).toBeGreaterThanOrEqual(300_000);
    await expect(lstat(payload)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("without links is read and made into blobs", async () => {
    await snapshotDownload('"org/model"', { HF_HUB_DISABLE_SYMLINKS: "1" });
    expectHashes((await observed()).holdings[0], model);
    world.hub.sent();
    await world.writer.pull(pullOf(model), world.context());
    expect(world.hub.sent()).toEqual([]);
    expect((await snapshotDownload('"org/model", local_files_only=True')).code).toBe(0);
  });

  it("when the cache was moved and linked is read through the link", async () => {
    await snapshotDownload('"org/model"');
    await mkdir(join(world.root, "big disk"));
    await rename(world.cacheDir, join(world.root, "big disk/hub"));
    await symlink(join(world.root, "big disk/hub"), world.cacheDir);
    expectHashes((await observed()).holdings[0], model);
    await world.writer.pull(pullOf(other), world.context());
    expect(await readdir(join(world.root, "big disk/hub"))).toContain("models--org--other");
    expect(dirname(world.cacheDir)).toBe(world.root);
  });
});
