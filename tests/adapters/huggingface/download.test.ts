import { execFileSync } from "node:child_process";
import { lstat, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
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

describe("interrupted transfers", () => {
  it("F01 goes on by Range where a cut connection ended, and transfers nothing twice", async () => {
    world.hub.switches.cutAfter.set(weights, [100_000, 50_000, 10]);
    await pull();
    await expectComplete();
    expect(world.hub.bytesSent(weights)).toBe(300_000);
  });

  it("F01 F07 keeps the part of a failed pull and goes on from it in the next", async () => {
    world.hub.switches.cutAfter.set(weights, [120_000]);
    const impatient = world.writerWith({ retry: { metadata: quickRetry, download: { ...quickRetry, retries: 0 } } });
    expect(await failureOf(impatient.pull(pullOf(model), world.context()))).toMatchObject({ code: "unreachable", retry: "transient" });
    expect(await exists(blobPath(weights))).toBe(false);
    await pull();
    await expectComplete();
    expect(world.hub.bytesSent(weights)).toBe(300_000);
    expect(world.events.some((event) => event.type === "note" && /resuming org\/model at 1\d\d\.\d KB of/.test(event.message))).toBe(true);
  });

  it("F07 names a stall with host side and byte, tries again from there, and gives up after several", async () => {
    world.hub.switches.hang.add(weights);
    const writer = world.writerWith({ stallTimeoutMs: 150, retry: { download: { ...quickRetry, retries: 1 } } });
    const failure = await failureOf(writer.pull(pullOf(model), world.context()));
    expect(failure).toMatchObject({ code: "stalled", retry: "transient" });
    expect(failure.message).toMatch(/model\.safetensors of org\/model: no bytes for .* at byte \d+ of 300000/);
    expect(world.events).toContainEqual(expect.objectContaining({ type: "stalled", done: 150_000 }));
    world.hub.switches.hang.clear();
    await pull();
    await expectComplete();
  });

  it("F07 a slow server is not a stalled one", async () => {
    world.hub.switches.slowMs.set(weights, 20);
    await world.writerWith({ stallTimeoutMs: 100 }).pull(pullOf(model), world.context());
    await expectComplete();
    expect(world.events.some((event) => event.type === "stalled")).toBe(false);
  });

  it("cancelled in the middle: the part stays, nothing is visible", async () => {
    world.hub.switches.hang.add(weights);
    const abort = new AbortController();
    const pulling = failureOf(pull(abort.signal));
    await world.hub.hanging();
    abort.abort();
    expect(await pulling).toMatchObject({ code: "cancelled" });
    expect(await exists(join(repoFolder(world, model), "snapshots"))).toBe(false);
    world.hub.switches.hang.clear();
    await pull();
    await expectComplete();
    expect(world.hub.bytesSent(weights)).toBeLessThan(500_000);
  });

  it("a part of other bytes than the file's is found out by its hash and fetched anew", async () => {
    await mkdir(join(repoFolder(world, model), "blobs"), { recursive: true });
    await writeFile(join(repoFolder(world, model), "blobs", `.${etag(weights)}.holdfast-part`), noise("something else", 200_000));
    await pull();
    await expectComplete();
  });

  it("a part that is longer than the file is thrown away", async () => {
    await mkdir(join(repoFolder(world, model), "blobs"), { recursive: true });
    await writeFile(join(repoFolder(world, model), "blobs", `.${etag(weights)}.holdfast-part`), noise("too long", 400_000));
    await pull();
    await expectComplete();
  });

  it("however often and wherever it is cut, the bytes are right in the end and files that were proven are not sent again", async () => {
    const cuts = fc.array(fc.record({ path: fc.constantFrom(...model.files.map((file) => file.path)), at: fc.integer({ min: 0, max: 299_999 }) }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        const fresh = await openHubWorld([model]);
        try {
          const impatient = fresh.writerWith({ retry: { metadata: quickRetry, download: { ...quickRetry, retries: 0 } } });
          for (const { path, at } of places) {
            fresh.hub.switches.cutAfter.set(path, [at]);
            await impatient.pull(pullOf(model), fresh.context()).catch(() => {});
          }
          fresh.hub.switches.cutAfter.clear();
          fresh.hub.sent();
          const blobs = join(repoFolder(fresh, model), "blobs");
          const proven = await readdir(blobs).catch(() => []);
          await impatient.pull(pullOf(model), fresh.context());
          const sent = fresh.hub.sent().map((path) => etag(path));
          for (const file of model.files) expect(await readFile(join(blobs, etagOf(file)))).toEqual(file.bytes);
          expect(proven.filter((name) => sent.includes(name))).toEqual([]);
        } finally {
          await fresh.close();
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe("refusals (F10)", () => {
  it.each([
    ["gated", 403, { "x-error-code": "GatedRepo" }, "gated"],
    ["unauthorized", 401, { "x-error-message": "Invalid credentials in Authorization header" }, "unauthorized"],
    ["gone", 404, { "x-error-code": "EntryNotFound" }, "not-found"],
  ])("%s ends the pull at once", async (_, status, headers, code) => {
    world.hub.switches.refusals.push({ status, headers, when: /\/resolve\// });
    expect(await failureOf(pull())).toMatchObject({ code, retry: "terminal" });
  });

  it("429 and 503 are waited for, an expired signed address is asked for anew", async () => {
    world.hub.switches.refusals.push(
      { status: 429, headers: { "retry-after": "0" }, when: /\/resolve\//, times: 1 },
      { status: 503, when: /\/resolve\//, times: 1 },
    );
    world.hub.switches.expiredAddresses = 1;
    await pull();
    await expectComplete();
  });

  it("a renamed repository is followed on the same host", async () => {
    world.hub.switches.renamed = true;
    await pull();
    await expectComplete();
  });

  it("HF_HUB_OFFLINE: what is here works, what is not is refused", async () => {
    const offline = world.writerWith({ offline: true });
    expect((await failureOf(offline.pull(pullOf(model), world.context()))).message).toContain("HF_HUB_OFFLINE");
    await pull();
    await offline.pull(pullOf(model, { refs: ["holdfast/again"] }), world.context());
    expect(await readFile(join(repoFolder(world, model), "refs/holdfast/again"), "utf8")).toBe(model.commit);
  });
});

describe("tokens", () => {
  it("SEC-12 stay with the hub: the CDN on another host and port sees none", async () => {
    const seen: string[] = [];
    const other = createServer((request, response) => {
      seen.push(JSON.stringify(request.headers));
      response.writeHead(403).end();
    });
    await new Promise<void>((ready) => void other.listen(0, "127.0.0.1", ready));
    const address = other.address();
    world.hub.switches.cdn = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const writer = world.writerWith({ token: () => "hf_secret", retry: { download: { ...quickRetry, retries: 1 } } });
    expect(await failureOf(writer.pull(pullOf(model), world.context()))).toMatchObject({ code: "upstream" });
    other.closeAllConnections();
    other.close();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.join()).not.toContain("hf_secret");
    expect(world.hub.requests.every((request) => request.authorization === "Bearer hf_secret")).toBe(true);
  });

  it("SEC-12 go along when the same host sends a request on", async () => {
    world.hub.switches.renamed = true;
    await world.writerWith({ token: () => "hf_secret" }).pull(pullOf(model), world.context());
    const cdn = world.hub.requests.filter((request) => request.host === "cdn");
    expect(
      world.hub.requests.filter((request) => request.url.startsWith("/old/")).every((request) => request.authorization === "Bearer hf_secret"),
    ).toBe(true);
    expect(cdn.length > 0 && cdn.every((request) => request.authorization === undefined)).toBe(true);
  });
});

describe("a disk that is too small", () => {
  it("F04 is noticed before the first byte, with both figures", async () => {
    const failure = await failureOf(world.writerWith({ reserveBytes: 2 ** 52 }).pull(pullOf(model), world.context()));
    expect(failure.code).toBe("disk-full");
    expect(failure.message).toMatch(/needs [\d.]+ [MGT]B, [\d.]+ [MGT]B free on /);
    expect(world.hub.sent()).toEqual([]);
  });

  it("F04 needs no room for what is already proven", async () => {
    await pull();
    await world.writerWith({ reserveBytes: 2 ** 52 }).pull(pullOf(model, { refs: ["holdfast/second"] }), world.context());
  });

  const mounted = canMount();
  it.skipIf(!mounted)(
    `F04 keeps the part when space runs out, and finishes when there is some${mounted ? "" : " (skipped: no tmpfs can be mounted)"}`,
    async () => {
      const mount = world.cacheDir;
      await mkdir(mount);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=220k", "tmpfs", mount]);
      try {
        const unaware = world.writerWith({ disk: { ...(await diskWithoutMeter()), freeBytes: () => Promise.resolve(undefined) } });
        expect(await failureOf(unaware.pull(pullOf(model), world.context()))).toMatchObject({ code: "disk-full" });
        expect(await exists(blobPath(weights))).toBe(false);
        expect((await stat(join(repoFolder(world, model), "blobs", `.${etag(weights)}.holdfast-part`))).size).toBeGreaterThan(0);
        execFileSync("mount", ["-o", "remount,size=4m", mount]);
        await unaware.pull(pullOf(model), world.context());
        await expectComplete();
      } finally {
        execFileSync("umount", [mount]);
      }
    },
  );
});

async function diskWithoutMeter(): Promise<ReturnType<typeof import("../../../src/adapters/filesystem/disk.ts").createDisk>> {
  const { createDisk } = await import("../../../src/adapters/filesystem/disk.ts");
  return createDisk({ quarantineRoot: world.quarantine });
}

function canMount(): boolean {
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
