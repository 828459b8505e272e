import { rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Observation } from "../../../src/domain/observed.ts";
import { createOllamaServerReader } from "../../../src/adapters/ollama/server-reader.ts";
import { blobFile, installSample, makeSample } from "../../fakes/ollama-samples.ts";
import { memoryFacts, memoryHasher } from "./doubles.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { defaultHost, store } from "./store-fixture.ts";

type Observed = Extract<Observation, { state: "observed" }>;

const signal = new AbortController().signal;
const alpha = makeSample({ name: "alpha:1b", seed: 1 });
const beta = makeSample({ name: "beta:2b", seed: 2 });

async function observed(scene: ServerScene): Promise<Observed> {
  const seen = await scene.reader.observe({ level: "presence" }, signal);
  if (seen.state === "unknown") throw new Error(seen.failure.message);
  return seen;
}

describe("Ollama server, what it costs to look", () => {
  it.each([false, true])("S4.20 a no-op observation of 300 models costs as many requests as of one (files readable: %s)", async (bytes) => {
    const scene = await openServerScene({ bytes });
    const requestsOf = async (): Promise<number> => {
      await observed(scene);
      scene.server.requests.length = 0;
      await observed(scene);
      return scene.server.requests.length;
    };
    await installSample(scene.directory, defaultHost, alpha);
    const one = await requestsOf();
    for (let seed = 10; seed < 310; seed++) await installSample(scene.directory, defaultHost, makeSample({ name: `m${seed}:x`, seed, size: 64 }));
    expect(await requestsOf()).toBe(one);
    expect(one).toBeLessThanOrEqual(6);
    await scene.close();
  });

  it("asks for the facts of a digest once, whatever its names, also over a restart of the program", async () => {
    const scene = await openServerScene({ bytes: false });
    await installSample(scene.directory, defaultHost, alpha);
    await installSample(scene.directory, "hf.co", alpha);
    const shows = (): number => scene.server.requests.filter((request) => request === "POST /api/show").length;
    await observed(scene);
    expect(shows()).toBe(1);
    const again = await scene.connect().reader.observe({ level: "presence" }, signal);
    expect(shows()).toBe(1);
    expect(again.state === "observed" && again.holdings.map(({ facts }) => facts.contextLength)).toEqual([8192, 8192]);
    await scene.close();
  });
});

describe("Ollama server, after an upgrade or a restart", () => {
  it("a newer version is asked for facts again: it knows more about the same bytes", async () => {
    const scene = await openServerScene({ bytes: false });
    await installSample(scene.directory, defaultHost, alpha);
    await observed(scene);
    scene.server.requests.length = 0;
    scene.server.faults.version = "0.34.0";
    await observed(scene);
    expect(scene.server.requests).toContain("POST /api/show");
    await scene.close();
  });

  it("connections that were cut are opened anew", async () => {
    const scene = await openServerScene({ bytes: false });
    scene.server.faults.cuts = 3;
    expect((await observed(scene)).complete).toBe(true);
    await scene.close();
  });
});

describe("Ollama server, what it says", () => {
  let scene: ServerScene;
  beforeEach(async () => {
    scene = await openServerScene({ bytes: true });
  });
  afterEach(async () => {
    await scene.close();
  });

  it("S4.114 S4.116 facts come from show, with their provenance, and say also what a model cannot do", async () => {
    await installSample(scene.directory, defaultHost, makeSample({ name: "e:x", seed: 1, family: "bert" }));
    await installSample(scene.directory, defaultHost, beta);
    const [chat, embedder] = (await observed(scene)).holdings.map(({ facts }) => facts);
    expect(chat).toMatchObject({
      architecture: "llama",
      parameterCount: 512,
      contextLength: 8192,
      embeddingLength: 64,
      license: "mit",
      quantization: "Q4_K_M",
    });
    expect(chat?.capabilities).toMatchObject({
      text: { value: true, from: "show" },
      tools: { value: true, from: "show" },
      vision: { value: false, from: "show" },
    });
    expect(embedder?.capabilities).toMatchObject({ embedding: { value: true, from: "show" }, text: { value: false, from: "show" } });
  });

  it("S2.48 S4.117 a loaded model is told by ps, with its memory and the digest it was loaded with", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    await scene.server.load("alpha:1b");
    const upgraded = makeSample({ name: "alpha:1b", seed: 9 });
    await installSample(scene.directory, defaultHost, upgraded);
    const [holding] = (await observed(scene)).holdings;
    expect(holding?.contentId).toBe(upgraded.digest);
    expect(holding?.loaded).toMatchObject({ digest: alpha.digest, sizeVram: 1024, contextLength: 4096, expiresAt: "2319-01-01T00:00:00.000Z" });
  });

  it("tells version and free bytes", async () => {
    const seen = await observed(scene);
    expect(seen.version).toBe("0.33.0-fake");
    expect(seen.freeBytes).toBeGreaterThan(0);
  });

  it("models that the server silently leaves out because their config is gone are seen on disk, as not whole", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    await installSample(scene.directory, defaultHost, beta);
    const [config = ""] = beta.blobs.keys();
    await rm(blobFile(scene.directory, config));
    const holding = (await observed(scene)).holdings.find(({ ref }) => ref.includes("beta"));
    expect(holding?.artifacts.find(({ path }) => path === `sha256:${config}`)?.found).toEqual({ state: "missing" });
  });

  it("torn manifests, which the server does not list, are unreadable and not missing", async () => {
    const path = await installSample(scene.directory, defaultHost, alpha);
    await writeFile(path, "");
    const seen = await observed(scene);
    expect(seen).toMatchObject({ holdings: [], unreadable: [{ ref: `${defaultHost}/library/alpha:1b`, failure: { code: "integrity" } }] });
    expect(await scene.reader.inspect(`${defaultHost}/library/alpha:1b`, "presence", signal)).toMatchObject({ failure: { code: "integrity" } });
  });

  it("a failing show leaves a warning and the facts of the listing, and is not asked again at once", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    scene.server.faults.failingShow = true;
    const first = await observed(scene);
    expect(first.holdings[0]?.facts).toMatchObject({ family: "llama", quantization: "Q4_K_M" });
    expect(first.warnings).toEqual([expect.stringContaining("tensor exceeds file size")]);
    scene.server.requests.length = 0;
    expect((await observed(scene)).warnings).toEqual(first.warnings);
    expect(scene.server.requests).not.toContain("POST /api/show");
  });

  it("an empty list while the files are there is not believed (F12)", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    scene.server.faults.emptyList = true;
    const seen = await observed(scene);
    expect(seen.complete).toBe(false);
    expect(seen.warnings).toEqual([expect.stringContaining("lists no model")]);
    await expect(scene.reader.inspect(`${defaultHost}/library/alpha:1b`, "presence", signal)).rejects.toMatchObject({
      failure: { code: "protocol", retry: "transient" },
    });
  });

  it("files of another server are left aside, with a warning", async () => {
    const other = await openServerScene({ bytes: true });
    await installSample(other.directory, defaultHost, makeSample({ name: "other:x", seed: 77 }));
    await installSample(scene.directory, defaultHost, alpha);
    const reader = createOllamaServerReader({
      store,
      url: other.server.url,
      directory: scene.directory,
      hasher: memoryHasher(),
      facts: memoryFacts(),
    });
    const seen = await reader.observe({ level: "presence" }, signal);
    expect(seen).toMatchObject({
      state: "observed",
      complete: true,
      holdings: [{ ref: `${defaultHost}/library/other:x`, artifacts: [{ path: "manifest" }] }],
    });
    expect(seen.state === "observed" && seen.warnings).toEqual([expect.stringContaining("spec.store")]);
    await other.close();
  });
});

describe("Ollama server over HTTP alone", () => {
  let scene: ServerScene;
  beforeEach(async () => {
    scene = await openServerScene({ bytes: false });
  });
  afterEach(async () => {
    await scene.close();
  });

  it("without a known manifest one artifact stands for all layers; nothing claims a hash", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    const [holding] = (await observed(scene)).holdings;
    expect(holding?.contentId).toBe(alpha.digest);
    expect(holding?.artifacts).toEqual([
      {
        path: "manifest",
        blob: `manifest:${alpha.digest}`,
        size: [...alpha.blobs.values()].reduce((sum, bytes) => sum + bytes.length, 0),
        found: { state: "present", level: "presence" },
      },
    ]);
  });

  it("with a known manifest level full finds a missing blob by asking the server", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    await scene.facts.remember("ollama-manifest", new Map([[alpha.digest, alpha.manifest]]));
    await rm(blobFile(scene.directory, alpha.weights));
    const holding = await scene.reader.inspect(`${defaultHost}/library/alpha:1b`, "presence", signal);
    expect(holding && "artifacts" in holding && holding.artifacts.find(({ path }) => path === `sha256:${alpha.weights}`)?.found).toEqual({
      state: "missing",
    });
  });

  it("a remembered manifest that does not have its digest is not believed", async () => {
    await installSample(scene.directory, defaultHost, alpha);
    await scene.facts.remember("ollama-manifest", new Map([[alpha.digest, beta.manifest]]));
    expect((await observed(scene)).holdings[0]?.artifacts.map(({ path }) => path)).toEqual(["manifest"]);
  });
});
