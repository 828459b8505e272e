import { access, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toFailure, type Failure } from "../../../src/domain/failure.ts";
import type { ProgressEvent } from "../../../src/ports/progress.ts";
import { blobFile, makeSample, type OllamaSample } from "../../fakes/ollama-samples.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { sampleModel } from "./store-fixture.ts";

const delta = makeSample({ name: "delta:7b", seed: 21 });
const newer = makeSample({ name: "delta:7b", seed: 22 });

describe("pulls by Ollama", () => {
  let scene: ServerScene;
  let events: ProgressEvent[];
  beforeEach(async () => {
    events = [];
    scene = await openServerScene({ bytes: true });
    scene.registry.publish(delta);
  });
  afterEach(async () => {
    await scene.close();
  });
  const context = (signal = new AbortController().signal) => ({ id: "a1", progress: (event: ProgressEvent) => void events.push(event), signal });
  const pull = (sample: OllamaSample = delta, writer = scene.writer) => writer.pull(sampleModel(sample, scene.registry.host).pull, context());
  const failureOf = async (work: Promise<unknown>): Promise<Failure> => work.then(() => expect.fail("succeeded"), toFailure);
  const ref = (): string => sampleModel(delta, scene.registry.host).ref;

  it("S2.64 S2.65 report progress in bytes and end with a proven holding", async () => {
    const holding = await pull();
    expect(holding).toMatchObject({ ref: ref(), contentId: delta.digest, facts: { family: "llama", contextLength: 8192 } });
    expect(holding.artifacts.every(({ found }) => found.state === "present" && found.level === "full")).toBe(true);
    const bytes = [...delta.blobs.values()].reduce((sum, blob) => sum + blob.length, 0);
    expect(events).toContainEqual({ type: "progress", id: "a1", phase: "downloading", done: expect.any(Number), total: bytes });
  });

  it("a stalled transfer is ended on the server and tried again (F07)", async () => {
    scene.server.faults.stallTimes = 1;
    const { writer } = scene.connect({ stallTimeoutMs: 120 });
    expect((await pull(delta, writer)).contentId).toBe(delta.digest);
    expect(events).toContainEqual(expect.objectContaining({ type: "stalled", done: 10, seconds: 0.12 }));
    expect(scene.server.pulls()).toBe(0);
  });

  it("S2.66 S4.68 a transfer that always stalls fails as stalled, stating the limit and what to do", async () => {
    scene.server.faults.stall = true;
    const { writer } = scene.connect({ stallTimeoutMs: 80 });
    expect(await failureOf(pull(delta, writer))).toMatchObject({
      code: "stalled",
      message: expect.stringContaining("0.08 s"),
      remedy: expect.stringMatching(/raise the stall timeout.*ollama pull/),
    });
    await expect.poll(() => scene.server.pulls()).toBe(0);
  });

  it("bytes that come and go without end are no progress", async () => {
    scene.server.faults.swing = true;
    const { writer } = scene.connect({ stallTimeoutMs: 150 });
    expect((await failureOf(pull(delta, writer))).code).toBe("stalled");
  });

  it("aborting disconnects, so that the server stops", async () => {
    scene.server.faults.stall = true;
    const abort = new AbortController();
    const work = failureOf(scene.writer.pull(sampleModel(delta, scene.registry.host).pull, context(abort.signal)));
    await scene.server.pulling();
    abort.abort(new Error("enough"));
    expect((await work).code).toBe("cancelled");
    await expect.poll(() => scene.server.pulls()).toBe(0);
  });

  it.each([
    ["pull model manifest: file does not exist", "not-found", "terminal"],
    ["pull model manifest: 429: slow down", "rate-limited", "transient"],
    ["pull model manifest: 412: newer version", "unsupported", "terminal"],
    ['pull model manifest: 400: {"error":"The specified tag is a sharded GGUF"}', "unsupported", "terminal"],
    ['pull model manifest: Get "https://x": dial tcp: lookup x: no such host', "unreachable", "transient"],
    ["pull model manifest: Get: http: server gave HTTP response to HTTPS client", "invalid-input", "terminal"],
    ['pull model manifest: realm host "a" does not match original host "b"', "unauthorized", "terminal"],
    ["unauthorized: access denied", "unauthorized", "terminal"],
    ["pull model manifest: open /x/id_ed25519: no such file or directory", "unauthorized", "terminal"],
    ["pull model manifest: invalid character '<' looking for beginning of value", "protocol", "transient"],
    ["http: no Location header in response", "unsupported", "terminal"],
    ["unexpected status code 302", "unsupported", "terminal"],
    ["context deadline exceeded", "unreachable", "transient"],
    ["max retries exceeded: EOF", "unreachable", "transient"],
    ["write /models/blobs/x: no space left on device", "disk-full", "terminal"],
    ["digest mismatch, file must be downloaded again: want sha256:a got sha256:b", "integrity", "terminal"],
    ["insecure protocol http", "unreachable", "transient"],
    ["this model requires MLX support, but the MLX runtime is not available", "unsupported", "terminal"],
    ["something nobody has seen before", "upstream", "transient"],
  ])("the error line %j inside a 200 stream is %s (%s)", async (errorLine, code, retry) => {
    scene.server.faults.errorLine = errorLine;
    const failure = await failureOf(pull());
    expect(failure).toMatchObject({ code, retry, remedy: expect.any(String) });
    expect(failure.message).toContain(errorLine);
    expect(failure.message).toContain(scene.server.url);
  });

  it("a failure that passes is tried again, one that stays is not", async () => {
    scene.server.faults.errorLines = ["max retries exceeded: EOF"];
    expect((await pull()).contentId).toBe(delta.digest);
    scene.server.faults.errorLines = ["write x: no space left on device", "not reached"];
    scene.registry.publish(newer);
    expect((await failureOf(pull(newer))).code).toBe("disk-full");
    expect(scene.server.faults.errorLines).toEqual(["not reached"]);
  });

  it("a stream that ends without success is a failure, not a pull", async () => {
    scene.server.faults.endsEarly = true;
    expect(await failureOf(pull())).toMatchObject({ code: "unreachable", retry: "transient", remedy: expect.stringContaining("restarted") });
  });

  it("a server that is gone is unreachable", async () => {
    await scene.server.crash();
    expect((await failureOf(pull())).code).toBe("unreachable");
  });

  it("a tag that has moved since the plan is refused before anything is replaced", async () => {
    await pull();
    scene.registry.publish(newer);
    scene.server.requests.length = 0;
    const request = { ...sampleModel(delta, scene.registry.host).pull, digest: "0".repeat(64) };
    expect(await failureOf(scene.writer.pull(request, context()))).toMatchObject({
      code: "precondition",
      remedy: expect.stringContaining("plan again"),
    });
    expect(scene.server.requests).not.toContain("POST /api/pull");
  });

  it("a tag that moves under the pull is an integrity failure although the server says success", async () => {
    scene.registry.publish(newer);
    scene.registry.publish(delta);
    scene.registry.faults.movesTo = newer.manifest;
    expect(await failureOf(pull())).toMatchObject({ code: "integrity", message: expect.stringContaining(delta.digest) });
  });

  it("disk-full is told before the first byte, with what is needed and what is free (F04)", async () => {
    const { writer } = scene.connect({ disk: { ...scene.disk, freeBytes: async () => 1000 } });
    expect(await failureOf(pull(delta, writer))).toMatchObject({
      code: "disk-full",
      message: expect.stringMatching(/needs 4\.2 kB more, 1\.0 kB are free/),
    });
    expect(scene.server.requests).not.toContain("POST /api/pull");
  });

  it("a manifest that was written again with the same layers is accepted: only its text differs", async () => {
    scene.server.faults.wrongDigest = true;
    const holding = await pull();
    expect(holding.contentId).not.toBe(delta.digest);
    expect(holding.artifacts.map(({ path }) => path)).toEqual([...delta.blobs.keys()].map((digest) => `sha256:${digest}`).toSorted());
  });

  it("a blob that a deletion took away during the pull is fetched again", async () => {
    scene.server.faults.losesBlob = `sha256:${delta.weights}`;
    const holding = await pull();
    expect(holding.artifacts.every(({ found }) => found.state === "present" && found.level === "full")).toBe(true);
    expect(events).toContainEqual({ type: "note", id: "a1", message: expect.stringContaining("once more") });
  });

  it("a damaged leftover that the server takes for good is found, kept aside and fetched again (F19)", async () => {
    await writeFile(blobFile(scene.directory, delta.weights), Buffer.alloc(delta.blobs.get(delta.weights)?.length ?? 0));
    const holding = await pull();
    expect(holding.artifacts.every(({ found, declaredSha256 }) => "sha256" in found && found.sha256 === declaredSha256)).toBe(true);
    expect(scene.registry.sent()).toContain(delta.weights);
    expect(await readdir(join(scene.folder, "quarantine"))).toHaveLength(1);
  });

  it("broken notes of an earlier download, which make every pull fail with EOF, are removed with their blob's parts; sound ones stay", async () => {
    await writeFile(`${blobFile(scene.directory, delta.weights)}-partial-0`, "");
    await writeFile(`${blobFile(scene.directory, delta.weights)}-partial-1`, '{"N":1}');
    const sound = `${blobFile(scene.directory, "e".repeat(64))}-partial-0`;
    await writeFile(sound, '{"N":0,"Offset":0,"Size":1,"Completed":1}');
    expect((await pull()).contentId).toBe(delta.digest);
    await access(sound);
    await expect(access(`${blobFile(scene.directory, delta.weights)}-partial-1`)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("a manifest with nothing to run is refused before the server is asked, and nothing is listed", async () => {
    const empty = { ...delta, manifest: '{"schemaVersion":2,"layers":[]}' };
    scene.registry.publish(empty);
    const request = { kind: "ollama", model: ref() } as const;
    expect((await failureOf(scene.writer.pull(request, context()))).code).toBe("unsupported");
    expect(await scene.reader.inspect(ref(), "presence", new AbortController().signal)).toBeUndefined();
  });

  it("the old weights leave memory before new ones replace them", async () => {
    await pull();
    const [, name] = [ref(), `${scene.registry.host}/library/delta:7b`];
    await scene.server.load(name);
    scene.registry.publish(newer);
    await pull(newer);
    expect(scene.server.loaded()).toEqual([]);
    const requests = scene.server.requests.filter((request) => request === "POST /api/generate" || request === "POST /api/pull");
    expect(requests).toEqual(["POST /api/pull", "POST /api/generate", "POST /api/pull"]);
  });

  it("a model that stays in memory is a conflict, and nothing is replaced", async () => {
    await pull();
    await scene.server.load(`${scene.registry.host}/library/delta:7b`);
    scene.server.faults.keepsLoaded = true;
    scene.registry.publish(newer);
    const { writer } = scene.connect({ unloadTimeoutMs: 100 });
    expect(await failureOf(pull(newer, writer))).toMatchObject({ code: "conflict", retry: "transient" });
    expect(await scene.reader.inspect(ref(), "presence", new AbortController().signal)).toMatchObject({ contentId: delta.digest });
  });

  it("what is not a model name is refused before anything is sent", async () => {
    for (const model of ["a b", "x@sha256:0", "m:cloud", "../../x:y"])
      expect((await failureOf(scene.writer.pull({ kind: "ollama", model }, context()))).code).toBe("invalid-input");
    expect(scene.server.requests).toEqual([]);
  });

  it("an interrupted pull leaves parts that do not stop the next one", async () => {
    scene.server.faults.endsEarly = true;
    await failureOf(pull());
    scene.server.faults.endsEarly = false;
    await rm(blobFile(scene.directory, delta.weights), { force: true });
    expect((await pull()).contentId).toBe(delta.digest);
  });
});
