import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createOllamaServerReader } from "../../../src/adapters/ollama/server-reader.ts";
import { createOllamaWriter } from "../../../src/adapters/ollama/writer.ts";
import type { FactMemory } from "../../../src/adapters/ollama/show-facts.ts";
import type { OllamaWriterOptions } from "../../../src/adapters/ollama/writer-side.ts";
import type { Disk } from "../../../src/ports/disk.ts";
import type { ModelReader, ModelWriter } from "../../../src/ports/model-store.ts";
import type { ModelStoreFixture, SampleModel, SampleUpstream } from "../../contracts/model-store-fixture.ts";
import { startFakeRegistry, type FakeRegistry } from "../../fakes/ollama-registry.ts";
import { blobFile, installSample, type OllamaSample } from "../../fakes/ollama-samples.ts";
import { startFakeOllama, type FakeOllama } from "../../fakes/ollama-server.ts";
import { memoryFacts, memoryHasher } from "./doubles.ts";
import { sampleModel, samples, store, temporaryFolder } from "./store-fixture.ts";

/** A server on loopback, a registry, and reader and writer on top of them. */
export interface ServerScene {
  readonly folder: string;
  readonly directory: string;
  readonly server: FakeOllama;
  readonly registry: FakeRegistry;
  readonly facts: FactMemory;
  readonly disk: Disk;
  readonly reader: ModelReader;
  readonly writer: ModelWriter;
  /** Another pair over the same server. */
  connect(options?: Partial<Pick<OllamaWriterOptions, "stallTimeoutMs" | "pinListen" | "unloadTimeoutMs" | "disk">> & { readonly url?: string }): {
    readonly reader: ModelReader;
    readonly writer: ModelWriter;
  };
  install(sample: OllamaSample): Promise<string>;
  close(): Promise<void>;
}

/** `bytes: false`: reader and writer do not know the server's directory. */
export async function openServerScene({ bytes }: { readonly bytes: boolean }): Promise<ServerScene> {
  const folder = await temporaryFolder();
  const directory = join(folder, "models");
  const [server, registry] = [await startFakeOllama(directory), await startFakeRegistry()];
  const hasher = memoryHasher();
  const facts = memoryFacts();
  const disk = createDisk({ quarantineRoot: join(folder, "quarantine") });
  for (const sample of samples) registry.publish(sample);
  const connect: ServerScene["connect"] = (options = {}) => {
    const place = { store, url: server.url, ...(bytes ? { directory } : {}), timeoutMs: 5_000 };
    const reader = createOllamaServerReader({ ...place, ...options, hasher, facts });
    const retry = { attempts: 2, initialDelayMs: 10, maxDelayMs: 20 };
    const writer = createOllamaWriter({ stallTimeoutMs: 60_000, disk, ...place, retry, insecureRegistry: true, ...options, reader, hasher, facts });
    return { reader, writer };
  };
  return {
    folder,
    directory,
    server,
    registry,
    facts,
    disk,
    ...connect(),
    connect,
    install: (sample) => installSample(directory, registry.host, sample),
    async close() {
      await Promise.all([server.close(), registry.close(), hasher.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A scene as the contract suite wants it. */
export async function openServerFixture({ bytes }: { readonly bytes: boolean }): Promise<ModelStoreFixture> {
  const scene = await openServerScene({ bytes });
  const { registry, directory } = scene;
  const bySample = new Map(samples.map((sample) => [sampleModel(sample, registry.host).ref, sample]));
  return {
    reader: scene.reader,
    writer: scene.writer,
    upstream: upstreamOf(registry),
    samples: [sampleModel(samples[0], registry.host), sampleModel(samples[1], registry.host)],
    async install({ ref }) {
      const sample = bySample.get(ref);
      if (sample === undefined) return;
      await scene.install(sample);
      // Over HTTP alone layers are known only from a lock.
      if (!bytes) await scene.facts.remember("ollama-manifest", new Map([[sample.digest, sample.manifest]]));
    },
    fileOf: (_sample, path) => blobFile(directory, path.replace("sha256:", "")),
    async readerOfNothing() {
      await mkdir(join(scene.folder, "other"), { recursive: true });
      const other = await startFakeOllama(join(scene.folder, "other"));
      await other.close();
      return scene.connect({ url: other.url }).reader;
    },
    close: scene.close,
  };
}

export function upstreamOf(registry: FakeRegistry): SampleUpstream {
  const own = ({ own: path }: SampleModel): string => path.replace("sha256:", "");
  return {
    sent: () => registry.sent().map((digest) => `sha256:${digest}`),
    serveWrongBytes: (sample) => registry.faults.wrongBytes.add(own(sample)),
    hang: (sample) => registry.faults.hanging.add(own(sample)),
    mend() {
      registry.faults.wrongBytes.clear();
      registry.faults.hanging.clear();
    },
    hanging: () => registry.hangs(),
    idle: () => registry.idle(),
  };
}
