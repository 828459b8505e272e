import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createOllamaServerReader } from "../../../src/adapters/ollama/server-reader.ts";
import { createOllamaRuntime } from "../../../src/adapters/ollama/runtime.ts";
import { createOllamaWriter } from "../../../src/adapters/ollama/writer.ts";
import { describeModelRuntime, type ModelRuntimeFixture } from "../../contracts/model-runtime.ts";
import { describeModelStore } from "../../contracts/model-store.ts";
import type { ModelStoreFixture } from "../../contracts/model-store-fixture.ts";
import { tinyGguf } from "../../fakes/tiny-gguf.ts";
import { startFakeRegistry } from "../../fakes/ollama-registry.ts";
import { blobFile, installSample, makeSample } from "../../fakes/ollama-samples.ts";
import { memoryFacts, memoryHasher } from "./doubles.ts";
import type { FactMemory } from "../../../src/adapters/ollama/show-facts.ts";
import { describePinnedPulls, type PinScene } from "./pinned-scenarios.ts";
import { upstreamOf } from "./server-fixture.ts";
import { sampleModel, samples, store, temporaryFolder } from "./store-fixture.ts";

const place = process.env["HOLDFAST_TEST_OLLAMA"]?.split(" ");
const [url, directory] = place ?? [];

if (url === undefined || directory === undefined) {
  const wanted = 'start an empty `ollama serve` on this machine and set HOLDFAST_TEST_OLLAMA="<url> <models directory>"';
  console.info(`skipped, a real Ollama: ${wanted}`);
  describe("model store: a real Ollama", () => {
    it.skip(wanted, () => undefined);
  });
} else {
  const secondName = (ref: string): string => ref.replace(/:[^:/]*$/, ":second");
  describeModelStore("a real Ollama with its files", () => openRealFixture(url, directory, true), { writable: true, bytes: true, secondName });
  describePinnedPulls("a real Ollama", async () => openRealScene(url, directory, true));
  describeModelRuntime("a real Ollama", () => openRealRuntime(url, directory));
  describeModelStore("a real Ollama over HTTP alone", () => openRealFixture(url, directory, false), { writable: true, bytes: false, secondName });
}

/** The store is the tests' own: it must be empty at the start, and what a test leaves in it is removed. */
async function openRealScene(
  server: string,
  models: string,
  bytes: boolean,
): Promise<PinScene & Pick<ModelStoreFixture, "readerOfNothing"> & { readonly facts: FactMemory }> {
  const folder = await temporaryFolder();
  const registry = await startFakeRegistry();
  const hasher = memoryHasher();
  const facts = memoryFacts();
  const at = { store, url: server, ...(bytes ? { directory: models } : {}), timeoutMs: 10_000 };
  const reader = createOllamaServerReader({ ...at, hasher, facts });
  const seen = await reader.observe({ level: "presence" }, new AbortController().signal);
  if (seen.state !== "observed" || seen.holdings.length > 0) throw new Error(`${server} is not an empty Ollama server`);
  const retry = { attempts: 2, initialDelayMs: 10, maxDelayMs: 20 };
  const disk = createDisk({ quarantineRoot: join(folder, "quarantine") });
  return {
    reader,
    writer: createOllamaWriter({ ...at, reader, disk, hasher, facts, retry, stallTimeoutMs: 120_000, insecureRegistry: true }),
    registry,
    directory: models,
    facts,
    install: (sample) => installSample(models, registry.host, sample),
    readerOfNothing: async () => createOllamaServerReader({ ...at, url: "http://127.0.0.1:9", hasher, facts }),
    async close() {
      await registry.close();
      await rm(join(models, "manifests", registry.host), { recursive: true, force: true });
      for (const name of await readdir(join(models, "blobs"))) await rm(join(models, "blobs", name), { force: true });
      await hasher.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openRealRuntime(server: string, models: string): Promise<ModelRuntimeFixture> {
  const scene = await openRealScene(server, models, true);
  const { host } = scene.registry;
  const [first, second] = [1, 2].map((seed) => makeSample({ name: `lab/real${seed}:1b`, seed, gguf: tinyGguf(seed) }));
  if (first === undefined || second === undefined) throw new Error("two samples were made");
  for (const sample of [first, second]) await scene.install(sample);
  const copy = async (source: string, destination: string): Promise<void> => {
    await (await fetch(`${server}/api/copy`, { method: "POST", body: JSON.stringify({ source, destination }) })).text();
  };
  const refs = { first: `${host}/lab/real1:1b`, second: `${host}/lab/real2:1b` };
  const runtime = createOllamaRuntime({ store, url: server, directory: models, facts: scene.facts, reader: scene.reader });
  return {
    reader: scene.reader,
    runtime,
    refs,
    async replace(ref, by) {
      await copy(by, ref);
      await rm(join(models, "blobs", `sha256-${first.weights}`));
    },
    alias: copy,
    isTidy: async () => (await readdir(join(models, "manifests"))).join() === host,
    async close() {
      for (const ref of [refs.first, refs.second])
        await runtime.unload({ ref }, { id: "end", progress: () => undefined, signal: new AbortController().signal });
      await scene.close();
    },
  };
}

async function openRealFixture(server: string, models: string, bytes: boolean): Promise<ModelStoreFixture> {
  const scene = await openRealScene(server, models, bytes);
  const { registry, facts } = scene;
  for (const sample of samples) registry.publish(sample);
  const bySample = new Map(samples.map((sample) => [sampleModel(sample, registry.host).ref, sample]));
  return {
    ...scene,
    upstream: upstreamOf(registry),
    samples: [sampleModel(samples[0], registry.host), sampleModel(samples[1], registry.host)],
    async install({ ref }) {
      const sample = bySample.get(ref);
      if (sample === undefined) return;
      await scene.install(sample);
      if (!bytes) await facts.remember("ollama-manifest", new Map([[sample.digest, sample.manifest]]));
    },
    fileOf: (_sample, path) => blobFile(models, path.replace("sha256:", "")),
  };
}
