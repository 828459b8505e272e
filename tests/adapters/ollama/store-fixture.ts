import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreId } from "../../../src/domain/observed.ts";
import { createOllamaStoreReader } from "../../../src/adapters/ollama/store-reader.ts";
import type { ModelStoreFixture, SampleModel } from "../../contracts/model-store-fixture.ts";
import { blobFile, installSample, makeSample, type OllamaSample } from "../../fakes/ollama-samples.ts";
import { memoryHasher } from "./doubles.ts";

export const store: StoreId = "ollama:test";
export const defaultHost = "registry.ollama.ai";

/** Two samples that share template and licence. */
export const samples: readonly [OllamaSample, OllamaSample] = [
  makeSample({ name: "alpha:1b", seed: 1 }),
  makeSample({ name: "beta/tool:q4", seed: 2, size: 5000 }),
];

export function sampleModel(sample: OllamaSample, host: string): SampleModel {
  const path = sample.name.includes("/") ? sample.name : `library/${sample.name}`;
  const files = [...sample.blobs].map(([sha256, bytes]) => ({ path: `sha256:${sha256}`, size: bytes.length, sha256 }));
  return {
    ref: `${host}/${path}`,
    files,
    own: `sha256:${sample.weights}`,
    pull: { kind: "ollama", model: `${host}/${path}`, digest: sample.digest },
  };
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "holdfast-ollama-"));
}

/** A models directory without any server. */
export async function openStoreFixture(): Promise<ModelStoreFixture> {
  const folder = await temporaryFolder();
  const directory = join(folder, "models");
  await mkdir(join(directory, "blobs"), { recursive: true });
  const hasher = memoryHasher();
  const [first, second] = samples;
  const bySample = new Map(samples.map((sample) => [sampleModel(sample, defaultHost).ref, sample]));
  return {
    reader: createOllamaStoreReader({ store, directory, hasher, headers: undefined }),
    samples: [sampleModel(first, defaultHost), sampleModel(second, defaultHost)],
    async install({ ref }) {
      const sample = bySample.get(ref);
      if (sample) await installSample(directory, defaultHost, sample);
    },
    fileOf: (_sample, path) => blobFile(directory, path.replace("sha256:", "")),
    readerOfNothing: async () => createOllamaStoreReader({ store, directory: join(folder, "gone"), hasher, headers: undefined }),
    async close() {
      await hasher.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
