import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toFailure, type Failure } from "../../../src/domain/failure.ts";
import { flipByte } from "../../contracts/model-store-checks.ts";
import { blobFile, hex, makeSample, type OllamaSample } from "../../fakes/ollama-samples.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { sampleModel } from "./store-fixture.ts";

const epsilon = makeSample({ name: "epsilon:7b", seed: 31 });
const zeta = makeSample({ name: "zeta:7b", seed: 32 });

const context = { id: "a1", progress: () => undefined, signal: new AbortController().signal };
const failureOf = async (work: Promise<unknown>): Promise<Failure> => work.then(() => expect.fail("succeeded"), toFailure);

let scene: ServerScene;
const refOf = (sample: OllamaSample): string => sampleModel(sample, scene.registry.host).ref;
const listed = async (): Promise<readonly string[]> => {
  const seen = await scene.reader.observe({ level: "presence" }, context.signal);
  return seen.state === "observed" ? seen.holdings.map(({ ref }) => ref) : [];
};

beforeEach(async () => {
  scene = await openServerScene({ bytes: true });
  for (const sample of [epsilon, zeta]) {
    scene.registry.publish(sample);
    await scene.install(sample);
  }
});
afterEach(async () => {
  await scene.close();
});

describe("removal by Ollama", () => {
  it("unloads first, and waits until the model is out of memory", async () => {
    await scene.server.load(refOf(epsilon));
    await scene.writer.remove({ ref: refOf(epsilon), contentId: epsilon.digest, quarantine: false }, context);
    expect(scene.server.loaded()).toEqual([]);
    const order = scene.server.requests.filter((request) => /generate|delete/.test(request));
    expect(order).toEqual(["POST /api/generate", "DELETE /api/delete"]);
    expect(await listed()).toEqual([refOf(zeta)]);
  });

  it("keeps a model that is busy", async () => {
    await scene.server.load(refOf(epsilon));
    scene.server.faults.keepsLoaded = true;
    const { writer } = scene.connect({ unloadTimeoutMs: 100 });
    expect(await failureOf(writer.remove({ ref: refOf(epsilon), quarantine: false }, context))).toMatchObject({
      code: "conflict",
      retry: "transient",
    });
    expect(await listed()).toContain(refOf(epsilon));
  });

  it("is not held up by a runner of earlier content, which the name does not reach", async () => {
    await scene.server.load(refOf(epsilon));
    await scene.install(makeSample({ name: "epsilon:7b", seed: 99 }));
    await scene.writer.remove({ ref: refOf(epsilon), quarantine: false }, context);
    expect(await listed()).toEqual([refOf(zeta)]);
  });

  it("keeps manifest and unshared blobs in quarantine when they cannot be fetched again", async () => {
    const { quarantine = "" } = await scene.writer.remove({ ref: refOf(epsilon), contentId: epsilon.digest, quarantine: true }, context);
    const kept = (await readdir(quarantine, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const contents = await Promise.all(kept.map((entry) => readFile(join(entry.parentPath, entry.name))));
    const hashes = contents.map(hex);
    const unshared = [...epsilon.blobs.keys()].filter((digest) => !zeta.blobs.has(digest));
    expect(hashes).toEqual(expect.arrayContaining([epsilon.digest, ...unshared]));
    expect(kept).toHaveLength(unshared.length + 2);
    expect(await listed()).toEqual([refOf(zeta)]);
  });

  it("without the files, what must be kept is not removed", async () => {
    const remote = await openServerScene({ bytes: false });
    await remote.install(epsilon);
    const ref = sampleModel(epsilon, remote.registry.host).ref;
    expect(await failureOf(remote.writer.remove({ ref, quarantine: true }, context))).toMatchObject({
      code: "unsupported",
      remedy: expect.stringContaining("spec.store"),
    });
    expect(remote.server.requests).not.toContain("DELETE /api/delete");
    await remote.close();
  });

  it("removes nothing while another manifest is torn: the server would take its blobs too", async () => {
    await writeFile(join(scene.directory, "manifests", scene.registry.host, "library", "zeta", "7b"), "");
    expect(await failureOf(scene.writer.remove({ ref: refOf(epsilon), quarantine: false }, context))).toMatchObject({
      code: "precondition",
      remedy: expect.stringContaining("ollama pull"),
    });
    for (const digest of zeta.blobs.keys()) await readFile(blobFile(scene.directory, digest));
  });

  it("never touches a tag `local`, which the server would take for another model", async () => {
    expect((await failureOf(scene.writer.remove({ ref: refOf(epsilon).replace(":7b", ":local"), quarantine: false }, context))).code).toBe(
      "unsupported",
    );
    expect(scene.server.requests).not.toContain("DELETE /api/delete");
  });

  it("finds the name in another spelling", async () => {
    await scene.writer.remove({ ref: refOf(epsilon).replace("epsilon", "Epsilon"), quarantine: false }, context);
    expect(await listed()).toEqual([refOf(zeta)]);
  });
});

describe("repair by Ollama", () => {
  const repair = (bad: readonly string[], digest: string | undefined = epsilon.digest) =>
    scene.writer.repair({ kind: "ollama", model: refOf(epsilon), bad, ...(digest === undefined ? {} : { digest }) }, context);

  it("moves the bad file to quarantine, with a note, and unloads the model before", async () => {
    await flipByte(blobFile(scene.directory, epsilon.weights));
    const bad = hex(await readFile(blobFile(scene.directory, epsilon.weights)));
    await scene.server.load(refOf(epsilon));
    await repair([`sha256:${epsilon.weights}`]);
    expect(scene.server.loaded()).toEqual([]);
    const [folder = ""] = await readdir(join(scene.folder, "quarantine"));
    const kept = (await readdir(join(scene.folder, "quarantine", folder), { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    const hashes = await Promise.all(kept.map(async (entry) => hex(await readFile(join(entry.parentPath, entry.name)))));
    expect(hashes).toContain(bad);
  });

  it("leaves a file alone that is good by now", async () => {
    await repair([`sha256:${epsilon.weights}`]);
    expect(scene.registry.sent()).toEqual([]);
    await expect(readdir(join(scene.folder, "quarantine"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.each(["missingBlobs", "tag"] as const)("moves nothing when the bytes cannot be had again (%s)", async (what) => {
    await flipByte(blobFile(scene.directory, epsilon.weights));
    const before = await readFile(blobFile(scene.directory, epsilon.weights));
    if (what === "missingBlobs") scene.registry.faults.missingBlobs.add(epsilon.weights);
    else scene.registry.publish(makeSample({ name: "epsilon:7b", seed: 98 }));
    const failure = await failureOf(repair([`sha256:${epsilon.weights}`]));
    expect(failure.code).toBe(what === "tag" ? "precondition" : "not-refetchable");
    expect(await readFile(blobFile(scene.directory, epsilon.weights))).toEqual(before);
  });

  it("mends a torn manifest by pulling over it", async () => {
    await writeFile(join(scene.directory, "manifests", scene.registry.host, "library", "epsilon", "7b"), "{");
    expect((await repair([])).contentId).toBe(epsilon.digest);
    expect(scene.registry.sent()).toEqual([]);
  });

  it("brings back the digest of a path only", async () => {
    expect((await failureOf(repair(["../../etc/passwd"]))).code).toBe("invalid-input");
  });

  it("over HTTP alone a missing blob comes back, and one that is there cannot be replaced", async () => {
    const remote = await openServerScene({ bytes: false });
    remote.registry.publish(epsilon);
    await remote.install(epsilon);
    const request = { ...sampleModel(epsilon, remote.registry.host).pull, bad: [`sha256:${epsilon.weights}`] };
    expect(await failureOf(remote.writer.repair(request, context))).toMatchObject({
      code: "unsupported",
      remedy: expect.stringContaining(`blobs/sha256-${epsilon.weights}`),
    });
    await rm(blobFile(remote.directory, epsilon.weights));
    await remote.writer.repair(request, context);
    expect(hex(await readFile(blobFile(remote.directory, epsilon.weights)))).toBe(epsilon.weights);
    await remote.close();
  });
});

describe("copies by Ollama", () => {
  it("are not made when the source has other content than was meant", async () => {
    const request = { from: refOf(epsilon), to: refOf(epsilon).replace(":7b", ":copy"), digest: zeta.digest };
    expect((await failureOf(scene.writer.tag(request, context))).code).toBe("precondition");
    expect(await listed()).toHaveLength(2);
  });

  it("replace a name only after its model has left memory", async () => {
    await scene.server.load(refOf(zeta));
    await scene.writer.tag({ from: refOf(epsilon), to: refOf(zeta), digest: epsilon.digest }, context);
    expect(scene.server.loaded()).toEqual([]);
    expect(await scene.reader.inspect(refOf(zeta), "presence", context.signal)).toMatchObject({ contentId: epsilon.digest });
  });
});

describe("pins", () => {
  it("are not handed out under the registry's own host name, which Ollama would take for a registry without redirects", async () => {
    const pin = { manifest: epsilon.manifest, digest: epsilon.digest };
    const { writer } = scene.connect({ pinListen: { host: "127.0.0.1" } });
    const failure = await failureOf(writer.pull({ kind: "ollama", model: refOf(zeta), digest: epsilon.digest, pin }, context));
    expect(failure).toMatchObject({ code: "unsupported", message: expect.stringContaining("127.0.0.1") });
  });

  it("must have their own digest (SEC-33)", async () => {
    const pin = { manifest: epsilon.manifest.replace("schemaVersion", "schemaversion"), digest: epsilon.digest };
    await scene.writer.remove({ ref: refOf(epsilon), quarantine: false }, context);
    expect((await failureOf(scene.writer.pull({ kind: "ollama", model: refOf(epsilon), digest: epsilon.digest, pin }, context))).code).toBe(
      "integrity",
    );
    expect(scene.server.requests).not.toContain("POST /api/pull");
  });
});
