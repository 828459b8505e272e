import { access, readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toFailure } from "../../../src/domain/failure.ts";
import { createOllamaStoreReader } from "../../../src/adapters/ollama/store-reader.ts";
import type { ProgressEvent } from "../../../src/ports/progress.ts";
import { blobFile, hex, installSample, makeSample, type OllamaSample } from "../../fakes/ollama-samples.ts";
import { memoryHasher } from "./doubles.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { sampleModel, store } from "./store-fixture.ts";

const theta = makeSample({ name: "theta:7b", seed: 41 });
const iota = makeSample({ name: "iota:7b", seed: 42 });
const left = makeSample({ name: "kappa:7b", seed: 43 });

let scene: ServerScene;
let events: ProgressEvent[];
let server: Server;
let answer: string;

const context = () => ({ id: "a1", progress: (event: ProgressEvent) => void events.push(event), signal: new AbortController().signal });
const refOf = (sample: OllamaSample): string => sampleModel(sample, scene.registry.host).ref;
const exists = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** A port that answers as long as `server` listens. */
async function openPort(): Promise<number> {
  server = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function closePort(): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** What a killed pinned pull leaves: a whole model under a helper name. */
async function leave(sample: OllamaSample): Promise<{ readonly path: string; readonly port: number }> {
  const port = await openPort();
  const name = `holdfast-pin/${sample.digest.slice(0, 12)}:new`;
  return { path: await installSample(scene.directory, `127.0.0.1:${port}`, { ...sample, name }), port };
}

async function shown(): Promise<readonly string[]> {
  const hasher = memoryHasher();
  const { directory } = scene;
  const readers = [scene.reader, createOllamaStoreReader({ store, directory, hasher, headers: undefined })];
  const seen = await Promise.all(readers.map((reader) => reader.observe({ level: "presence" }, context().signal)));
  await hasher.close();
  return seen.flatMap((one) => (one.state === "observed" && one.complete ? one.holdings.map(({ ref }) => ref) : ["not observed"]));
}

async function keptHashes(): Promise<readonly string[]> {
  const folder = join(scene.folder, "quarantine");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && entry.name !== "note.json");
  return (await Promise.all(files.map(async (entry) => hex(await readFile(join(entry.parentPath, entry.name)))))).toSorted();
}

beforeEach(async () => {
  events = [];
  answer = "something else";
  scene = await openServerScene({ bytes: true });
  for (const sample of [theta, iota]) scene.registry.publish(sample);
});
afterEach(async () => {
  if (server?.listening) await closePort();
  await scene.close();
});

describe("helper names that a killed pinned pull left", () => {
  it("are no holdings, for the server's reader and for that of its files", async () => {
    await scene.install(theta);
    await leave(left);
    expect(await shown()).toEqual([refOf(theta), refOf(theta)]);
    const remote = await openServerScene({ bytes: false });
    await installSample(remote.directory, "127.0.0.1:9", { ...left, name: "holdfast-pin/abc:new" });
    const seen = await remote.reader.observe({ level: "full" }, context().signal);
    await remote.close();
    expect(seen).toMatchObject({ state: "observed", complete: true, holdings: [] });
  });

  it.each(["pull", "repair", "tag", "remove"] as const)("are gone with their bytes after the next %s", async (verb) => {
    await scene.install(theta);
    const { path } = await leave(left);
    await closePort();
    const request = { ...sampleModel(theta, scene.registry.host).pull, bad: [] };
    if (verb === "pull") await scene.writer.pull(sampleModel(iota, scene.registry.host).pull, context());
    if (verb === "repair") await scene.writer.repair(request, context());
    if (verb === "tag") await scene.writer.tag({ from: refOf(theta), to: refOf(iota), digest: theta.digest }, context());
    if (verb === "remove") await scene.writer.remove({ ref: refOf(theta), quarantine: false }, context());
    expect(await exists(path)).toBe(false);
    expect(await exists(blobFile(scene.directory, left.weights))).toBe(false);
  });

  it("are gone although another program has the port by now", async () => {
    const { path } = await leave(left);
    await scene.writer.pull(sampleModel(iota, scene.registry.host).pull, context());
    expect(await exists(path)).toBe(false);
  });

  it("stay, all of them, while the pin server of a living process hands out its manifest", async () => {
    const dead = await leave(left);
    await closePort();
    const alive = await leave(theta);
    answer = theta.manifest;
    await scene.writer.pull(sampleModel(iota, scene.registry.host).pull, context());
    expect([await exists(dead.path), await exists(alive.path)]).toEqual([true, true]);
  });

  it("with the very content that is wanted go afterwards, so that it is not fetched twice", async () => {
    const { path } = await leave(theta);
    await closePort();
    const pin = { manifest: theta.manifest, digest: theta.digest };
    await scene.writer.pull({ kind: "ollama", model: refOf(theta), digest: theta.digest, pin }, context());
    expect(await exists(path)).toBe(false);
    expect(scene.registry.sent()).toEqual([]);
    expect(await shown()).toEqual([refOf(theta), refOf(theta)]);
  });
});

describe("what a pull replaces", () => {
  const local = makeSample({ name: "theta:7b", seed: 51 });
  const pin = { manifest: theta.manifest, digest: theta.digest };

  it.each(["by tag", "pinned"] as const)("is kept when the registry does not have it (%s)", async (way) => {
    await scene.install(iota);
    await scene.install(local);
    const request = sampleModel(theta, scene.registry.host).pull;
    await scene.writer.pull(request.kind === "ollama" && way === "pinned" ? { ...request, pin } : request, context());
    const own = [...local.blobs.keys()].filter((digest) => !iota.blobs.has(digest));
    expect(own).toHaveLength(2);
    expect(await keptHashes()).toEqual([local.digest, ...own].toSorted());
    const [folder = ""] = await readdir(join(scene.folder, "quarantine"));
    expect(events).toContainEqual({ type: "note", id: "a1", message: expect.stringContaining(folder) });
    expect(await scene.reader.inspect(refOf(theta), "presence", context().signal)).toMatchObject({ contentId: theta.digest });
  });

  it("is not kept when the registry has all of it", async () => {
    scene.registry.publish(local);
    scene.registry.publish(theta);
    await scene.install(local);
    await scene.writer.pull(sampleModel(theta, scene.registry.host).pull, context());
    expect(await keptHashes()).toEqual([]);
  });

  it("is kept without the bytes that another name or the new content holds", async () => {
    await scene.install(local);
    await scene.writer.tag({ from: refOf(local), to: `${refOf(local)}-copy`, digest: local.digest }, context());
    await scene.writer.pull(sampleModel(theta, scene.registry.host).pull, context());
    expect(await keptHashes()).toEqual([]);
    expect(await exists(blobFile(scene.directory, local.weights))).toBe(true);
  });
});

describe("a removal that names its content", () => {
  const other = makeSample({ name: "theta:7b", seed: 61 });

  it.each([true, false])("is refused when the name has other content (quarantine: %s)", async (quarantine) => {
    await scene.install(other);
    const removal = scene.writer.remove({ ref: refOf(theta), contentId: theta.digest, quarantine }, context());
    expect((await removal.catch(toFailure)) ?? {}).toMatchObject({ code: "precondition" });
    expect(await shown()).toEqual([refOf(theta), refOf(theta)]);
    expect(scene.server.requests).not.toContain("DELETE /api/delete");
  });

  it("is refused when other content comes under the name while it is at work", async () => {
    await scene.install(theta);
    const disk = {
      ...scene.disk,
      quarantine: async (...files: Parameters<typeof scene.disk.quarantine>) => {
        const folder = await scene.disk.quarantine(...files);
        await scene.install(other);
        return folder;
      },
    };
    const removal = scene.connect({ disk }).writer.remove({ ref: refOf(theta), contentId: theta.digest, quarantine: true }, context());
    expect(await removal.catch(toFailure)).toMatchObject({ code: "precondition" });
    expect(await scene.reader.inspect(refOf(theta), "presence", context().signal)).toMatchObject({ contentId: other.digest });
  });
});
