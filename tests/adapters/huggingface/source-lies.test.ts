import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toFailure, type Failure } from "../../../src/domain/failure.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import { openHubWorld, pullOf, quickRetry, refOf, repoFolder, type HubWorld } from "./hub-world.ts";

const weights = "model.safetensors";
const model = hubModel("org/model", {
  "config.json": '{"a":1}',
  "sub/tokenizer.json": noise("tokenizer", 900),
  [weights]: noise("weights", 300_000),
});
let world: HubWorld;

beforeEach(async () => {
  world = await openHubWorld([model]);
});
afterEach(() => world.close());

async function failureOf(operation: Promise<unknown>): Promise<Failure> {
  return operation.then(
    () => {
      throw new Error("succeeded");
    },
    (error: unknown) => toFailure(error),
  );
}

const pull = (signal?: AbortSignal): Promise<unknown> => world.writer.pull(pullOf(model), world.context(signal));
const blobPath = (path: string): string => join(repoFolder(world, model), "blobs", etag(path));

function etag(path: string, of: HubModel = model): string {
  const file = of.files.find((candidate) => candidate.path === path);
  return file === undefined ? "" : etagOf(file);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function expectComplete(of: HubModel = model): Promise<void> {
  const holding = await world.reader.inspect(refOf(of), "full", new AbortController().signal);
  if (holding === undefined || !("artifacts" in holding)) throw new Error("no holding");
  const hashes = Object.fromEntries(holding.artifacts.map(({ path, found }) => [path, "sha256" in found ? found.sha256 : found.state]));
  expect(hashes).toEqual(Object.fromEntries(of.files.map((file) => [file.path, file.sha256])));
}

describe("sources that lie", () => {
  it("SEC-06 F09 wrong bytes of the right size never get the final name; both hashes are said; the next pull succeeds", async () => {
    world.hub.switches.wrongBytes.add(weights).add("config.json");
    const failure = await failureOf(pull());
    expect(failure).toMatchObject({ code: "integrity", retry: "terminal" });
    expect(failure.message).toMatch(/expected (SHA-256|Git id) [0-9a-f]+, got [0-9a-f]+/);
    expect(await readdir(join(repoFolder(world, model), "blobs"))).not.toContain(etag(weights));
    expect(world.hub.bytesSent(weights) <= 900_000).toBe(true);
    world.hub.switches.wrongBytes.clear();
    await pull();
    await expectComplete();
  });

  it("SEC-06 wrong bytes of a file outside LFS are found by its Git id", async () => {
    world.hub.switches.wrongBytes.add("config.json");
    expect((await failureOf(pull())).message).toContain(`expected Git id ${etag("config.json")}`);
    expect(await exists(blobPath("config.json"))).toBe(false);
  });

  it("SEC-08 an endless body is cut at the size of the file", async () => {
    world.hub.switches.endless.add(weights);
    expect(await failureOf(pull())).toMatchObject({ code: "integrity" });
    await world.hub.idle();
    expect(await exists(blobPath(weights))).toBe(false);
    const sizes = await Promise.all(
      (await readdir(join(repoFolder(world, model), "blobs"))).map(async (name) => (await stat(join(repoFolder(world, model), "blobs", name))).size),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(300_000);
  });

  it("SEC-08 a body that ends early is not taken for whole", async () => {
    world.hub.switches.short.add(weights);
    const writer = world.writerWith({ retry: { download: { ...quickRetry, retries: 0 } } });
    expect(await failureOf(writer.pull(pullOf(model), world.context()))).toMatchObject({ code: "unreachable", retry: "transient" });
    expect(await exists(blobPath(weights))).toBe(false);
  });

  it("SEC-08 compressed bytes are refused", async () => {
    world.hub.switches.gzip.add(weights);
    const failure = await failureOf(pull());
    expect(failure.code).toBe("integrity");
    expect(failure.message).toContain("the bytes come as gzip");
    expect(await exists(blobPath(weights))).toBe(false);
  });

  it("SEC-09 F08 200 instead of 206 starts over and never concatenates", async () => {
    world.hub.switches.cutAfter.set(weights, [100_000, 150_000, 120_000, 180_000]);
    world.hub.switches.ignoreRange.add(weights);
    await pull();
    await expectComplete();
    expect(world.hub.bytesSent(weights)).toBe(850_000);
  });

  it.each(["wrongContentRange", "wrongLength"] as const)(
    "SEC-09 F08 %s: the source changed, once from zero, then an integrity failure",
    async (lie) => {
      world.hub.switches[lie].add(weights);
      world.hub.switches.cutAfter.set(weights, [100_000]);
      const pulling = pull();
      if (lie === "wrongLength") expect((await failureOf(pulling)).message).toContain("the source changed during the download");
      else await pulling.then(() => expectComplete());
      expect(world.hub.bytesSent(weights)).toBeGreaterThan(lie === "wrongLength" ? 0 : 300_000);
      expect(await exists(blobPath(weights))).toBe(lie !== "wrongLength");
    },
  );

  it("SEC-09 F08 another etag is another file", async () => {
    world.hub.switches.wrongEtag.set(weights, "f".repeat(64));
    expect((await failureOf(pull())).message).toContain("the source changed during the download");
  });

  it("a proxy that answers in the place of a hub is a protocol failure", async () => {
    world.hub.switches.noCommit = true;
    expect(await failureOf(pull())).toMatchObject({ code: "protocol" });
  });

  it("a commit that lists other bytes than the plan is an integrity failure before the first byte", async () => {
    const request = pullOf(model);
    const files = request.files.map((file) => (file.path === weights ? { ...file, sha256: "a".repeat(64) } : file));
    expect(await failureOf(world.writer.pull({ ...request, files }, world.context()))).toMatchObject({ code: "integrity" });
    expect(world.hub.sent()).toEqual([]);
  });
});
