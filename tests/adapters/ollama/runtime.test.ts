import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createOllamaRuntime, type OllamaRuntimeOptions } from "../../../src/adapters/ollama/runtime.ts";
import type { ProgressEvent } from "../../../src/ports/progress.ts";
import { describeModelRuntime, type ModelRuntimeFixture } from "../../contracts/model-runtime.ts";
import { makeSample } from "../../fakes/ollama-samples.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { store } from "./store-fixture.ts";

const first = makeSample({ name: "lab/first:1b", seed: 1 });
const second = makeSample({ name: "lab/second:1b", seed: 2 });
const embedding = makeSample({ name: "lab/embed:1b", seed: 3, family: "bert" });
const signal = new AbortController().signal;

function runtimeOf(scene: ServerScene, options: Partial<OllamaRuntimeOptions> = {}): ReturnType<typeof createOllamaRuntime> {
  const { server, directory, facts, reader } = scene;
  const retry = { attempts: 3, initialDelayMs: 10, maxDelayMs: 20 };
  return createOllamaRuntime({ store, url: server.url, directory, facts, reader, retry, unloadTimeoutMs: 2_000, ...options });
}

async function openFixture(): Promise<ModelRuntimeFixture> {
  const scene = await openServerScene({ bytes: true });
  for (const sample of [first, second, embedding]) await scene.install(sample);
  const { host } = scene.registry;
  const call = async (method: string, path: string, body: object): Promise<void> => {
    await (await fetch(`${scene.server.url}${path}`, { method, body: JSON.stringify(body) })).text();
  };
  const refs = { first: `${host}/lab/first:1b`, second: `${host}/lab/second:1b`, embedding: `${host}/lab/embed:1b` };
  return {
    reader: scene.reader,
    runtime: runtimeOf(scene),
    refs,
    async replace(ref, by) {
      await call("POST", "/api/copy", { source: by, destination: ref });
      await rm(join(scene.directory, "blobs", `sha256-${first.weights}`));
    },
    alias: (ref, name) => call("POST", "/api/copy", { source: ref, destination: name }),
    isTidy: async () => (await readdir(join(scene.directory, "manifests"))).join() === host,
    close: () => scene.close(),
  };
}

describeModelRuntime("an Ollama server on loopback", openFixture);

describe("the memory of an Ollama server", () => {
  async function open(bytes = true): Promise<ServerScene & { readonly ref: string }> {
    const scene = await openServerScene({ bytes });
    onTestFinished(() => scene.close());
    await scene.install(first);
    await scene.install(second);
    return { ...scene, ref: `${scene.registry.host}/lab/first:1b` };
  }

  it("a busy server is asked again, and reported when it stays busy", async () => {
    const scene = await open();
    const notes: ProgressEvent[] = [];
    const context = { id: "a1", progress: (event: ProgressEvent) => void notes.push(event), signal };
    scene.server.faults.busyLoads = 2;
    expect(await runtimeOf(scene).load({ ref: scene.ref, keep: "forever" }, context)).toMatchObject({ ref: scene.ref });
    expect(notes.map((event) => event.type)).toEqual(["note", "note"]);
    scene.server.faults.busyLoads = 99;
    await expect(runtimeOf(scene).load({ ref: scene.ref, keep: "forever" }, context)).rejects.toMatchObject({ failure: { code: "rate-limited" } });
  });

  it.each([
    ["has no room", "failingLoad"],
    ["says success and drops the model at once", "forgetsLoads"],
  ] as const)("S2.75 a server that %s is a failure, not a loaded model", async (_what, fault) => {
    const scene = await open();
    scene.server.faults[fault] = true;
    const load = runtimeOf(scene).load({ ref: scene.ref, keep: "forever" }, { id: "a1", progress: () => undefined, signal });
    await expect(load).rejects.toMatchObject({ failure: { code: "upstream" } });
  });

  it("a model that does not leave memory in time is a conflict with the way out", async () => {
    const scene = await open();
    await scene.server.load(scene.ref);
    scene.server.faults.keepsLoaded = true;
    const unload = runtimeOf(scene, { unloadTimeoutMs: 100 }).unload({ ref: scene.ref }, { id: "a1", progress: () => undefined, signal });
    await expect(unload).rejects.toMatchObject({ failure: { code: "conflict", remedy: expect.stringContaining("ollama stop") } });
  });

  it("a stale runner whose files cannot be reached is told with its way out, and the present content stays", async () => {
    const scene = await open(false);
    const { server, ref } = scene;
    await server.load(ref);
    await fetch(`${server.url}/api/copy`, {
      method: "POST",
      body: JSON.stringify({ source: `${scene.registry.host}/lab/second:1b`, destination: ref }),
    });
    const { directory: _none, ...place } = { store, url: server.url, facts: scene.facts, reader: scene.reader, directory: "" };
    const unload = createOllamaRuntime(place).unload({ ref, digest: first.digest }, { id: "a1", progress: () => undefined, signal });
    await expect(unload).rejects.toMatchObject({ failure: { code: "unsupported", remedy: expect.stringContaining("restart the Ollama server") } });
    expect(server.loaded()).toEqual([ref]);
  });

  it("a stale runner whose content has another name is reached through that name, over HTTP alone too", async () => {
    const scene = await open(false);
    const { server, ref } = scene;
    const copy = (source: string, destination: string): Promise<Response> =>
      fetch(`${server.url}/api/copy`, { method: "POST", body: JSON.stringify({ source, destination }) });
    await server.load(ref);
    await copy(ref, `${scene.registry.host}/lab/kept:1b`);
    await copy(`${scene.registry.host}/lab/second:1b`, ref);
    const runtime = createOllamaRuntime({ store, url: server.url, facts: scene.facts, reader: scene.reader });
    await runtime.unload({ ref, digest: first.digest }, { id: "a1", progress: () => undefined, signal });
    expect(server.loaded()).toEqual([]);
  });

  it("S2.63 S2.73 callers at the same time who want the same model share one pull", async () => {
    const scene = await open();
    const samples = ["alone", "shared"].map((name, index) => makeSample({ name: `lab/${name}:1b`, seed: 8 + index }));
    for (const sample of samples) scene.registry.publish(sample);
    const pull = (name: string): Promise<{ readonly contentId?: string }> =>
      scene.writer.pull({ kind: "ollama", model: `${scene.registry.host}/lab/${name}:1b` }, { id: "a1", progress: () => undefined, signal });
    await pull("alone");
    const holdings = await Promise.all([pull("shared"), pull("shared"), pull("shared")]);
    expect(new Set(holdings.map((holding) => holding.contentId)).size).toBe(1);
    const [alone, shared] = samples.map(
      ({ weights }) => scene.registry.requests.filter((line) => line.startsWith("GET") && line.includes(weights)).length,
    );
    expect(shared).toBe(alone);
  });
});
