import { mkdir, symlink } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Observation } from "../../../src/domain/observed.ts";
import { createOllamaServerReader } from "../../../src/adapters/ollama/server-reader.ts";
import { installSample, makeSample, manifestParts } from "../../fakes/ollama-samples.ts";
import { memoryFacts, memoryHasher } from "./doubles.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { defaultHost, store } from "./store-fixture.ts";

const signal = new AbortController().signal;
const alpha = makeSample({ name: "alpha:1b", seed: 1 });

describe("Ollama server, when it cannot be observed", () => {
  let scene: ServerScene;
  beforeEach(async () => {
    scene = await openServerScene({ bytes: true });
    await installSample(scene.directory, defaultHost, alpha);
  });
  afterEach(async () => {
    await scene.close();
  });
  const look = (): Promise<Observation> => scene.reader.observe({ level: "presence" }, signal);

  it("S2.58 S4.60 S4.61 S4.65 a server that is down is unreachable; the failure names the URL and how to start it", async () => {
    await scene.server.crash();
    const failure = {
      code: "unreachable",
      retry: "transient",
      message: expect.stringContaining(scene.server.url),
      remedy: expect.stringContaining("ollama serve"),
    };
    expect(await look()).toEqual({ state: "unknown", store, failure });
  });

  it("a server that accepts and says nothing ends in a timeout", async () => {
    const silent = createServer((socket) => socket.resume().on("error", () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const reader = createOllamaServerReader({ store, url, hasher: memoryHasher(), facts: memoryFacts(), timeoutMs: 100 });
    expect(await reader.observe({ level: "presence" }, signal)).toMatchObject({
      state: "unknown",
      failure: { code: "timeout", retry: "transient", remedy: expect.stringContaining("GPU") },
    });
    await new Promise((resolve) => silent.close(resolve));
  });

  it.each([
    ["forbidden", "unauthorized"],
    ["html", "protocol"],
    ["halfBody", "unreachable"],
  ] as const)("the fault %s is a failure of kind %s, never an empty store (F11)", async (fault, code) => {
    scene.server.faults[fault] = true;
    expect(await look()).toMatchObject({ state: "unknown", failure: { code, remedy: expect.any(String) } });
  });

  it("one failing listing is asked again", async () => {
    scene.server.faults.failingTags = 1;
    expect(await look()).toMatchObject({ state: "observed", holdings: [{ contentId: alpha.digest }] });
  });

  it("a dangling link that makes every listing fail is named", async () => {
    const [host = "", namespace = "", model = ""] = manifestParts(defaultHost, "dead:x");
    const folder = join(scene.directory, "manifests", host, namespace, model);
    await mkdir(folder, { recursive: true });
    await symlink("nowhere", join(folder, "x"));
    expect(await look()).toMatchObject({ state: "unknown", failure: { code: "upstream", remedy: expect.stringContaining(join(folder, "x")) } });
  });

  it("aborting ends an observation in the middle", async () => {
    scene.server.faults.slow = 60_000;
    const abort = new AbortController();
    const reason = new Error("enough");
    const seen = scene.reader.observe({ level: "presence" }, abort.signal);
    await expect.poll(() => scene.server.requests.length).toBeGreaterThan(0);
    abort.abort(reason);
    await expect(seen).rejects.toBe(reason);
  });

  it("SEC-20 the password in a URL is never shown", async () => {
    const url = scene.server.url.replace("http://", "http://ann:s3cret@");
    expect(await scene.connect({ url }).reader.observe({ level: "presence" }, signal)).toMatchObject({ state: "observed" });
    await scene.server.crash();
    const seen = await scene.connect({ url }).reader.observe({ level: "presence" }, signal);
    expect(JSON.stringify(seen)).not.toContain("s3cret");
  });

  it("S4.121 S4.122 two servers are observed apart: one that is down does not hide the other", async () => {
    const other = await openServerScene({ bytes: false });
    await other.server.crash();
    const [down, up] = await Promise.all([other.reader.observe({ level: "presence" }, signal), look()]);
    expect([down.state, up.state]).toEqual(["unknown", "observed"]);
    await other.close();
  });
});
