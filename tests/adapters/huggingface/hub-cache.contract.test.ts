import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createHubCacheReader } from "../../../src/adapters/huggingface/cache-reader.ts";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { describeModelStore } from "../../contracts/model-store.ts";
import type { ModelStoreFixture, SampleModel, SampleUpstream } from "../../contracts/model-store-fixture.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import type { FakeHub } from "../../fakes/hub-server.ts";
import { memoryHashCache, openHubWorld, pullOf, refOf, repoFolder } from "./hub-world.ts";
import { installInCache, installInFolder } from "./install.ts";

const shared = { "config.json": '{"model_type":"test"}', "model-00001.safetensors": noise("shared", 3000) };
const first = hubModel("org/first", { ...shared, "sub/own.safetensors": noise("first", 200_000) });
const revised = hubModel("org/first", { ...shared, "sub/own.safetensors": noise("revised", 150_000), "other.bin": noise("revised other", 5000) });

function sampleOf(model: HubModel, own: string): SampleModel {
  return { ref: refOf(model), own, files: model.files.map(({ path, bytes, sha256 }) => ({ path, size: bytes.length, sha256 })), pull: pullOf(model) };
}

function upstreamOf(hub: FakeHub): SampleUpstream {
  return {
    sent: () => hub.sent(),
    serveWrongBytes: (sample) => void hub.switches.wrongBytes.add(sample.own),
    hang: (sample) => void hub.switches.hang.add(sample.own),
    mend: () => {
      hub.switches.wrongBytes.clear();
      hub.switches.hang.clear();
    },
    hanging: () => hub.hanging(),
    idle: () => hub.idle(),
  };
}

async function openCacheFixture(): Promise<ModelStoreFixture> {
  const models = [first, revised];
  const world = await openHubWorld(models);
  const modelOf = (ref: string): HubModel => models.find((model) => refOf(model) === ref) ?? first;
  return {
    reader: world.reader,
    writer: world.writer,
    upstream: upstreamOf(world.hub),
    samples: [sampleOf(first, "sub/own.safetensors"), sampleOf(revised, "other.bin")],
    install: (sample) => installInCache(world.cacheDir, modelOf(sample.ref)),
    fileOf(sample, path) {
      const model = modelOf(sample.ref);
      const file = model.files.find((candidate) => candidate.path === path);
      return join(repoFolder(world, model), "blobs", file === undefined ? "" : etagOf(file));
    },
    async readerOfNothing() {
      const file = join(world.root, "a file");
      await writeFile(file, "");
      const hasher = createFileHasher({ cache: memoryHashCache(), workers: 1, clock: { now: () => "2026-01-01T00:00:00.000Z" } });
      return createHubCacheReader({ cacheDir: join(file, "hub"), hasher, headers: undefined });
    },
    close: () => world.close(),
  };
}

describeModelStore("Hub cache", openCacheFixture, { writable: true, bytes: true });

const one = hubModel("org/one", { "config.json": '{"one":1}', "sub/one.safetensors": noise("one", 200_000) });
const two = hubModel("org/two", { "config.json": '{"two":2}', "two.bin": noise("two", 5000) });

async function openFolderFixture(): Promise<ModelStoreFixture> {
  const world = await openHubWorld([one, two], "directory", ["one", "two"]);
  const folderOf = (model: HubModel): string => join(world.root, model === one ? "one" : "two");
  const sample = (model: HubModel, own: string): SampleModel => ({
    ...sampleOf(model, own),
    ref: folderOf(model),
    pull: pullOf(model, { layout: "dir", dir: folderOf(model), refs: [] }),
  });
  return {
    reader: world.reader,
    writer: world.writer,
    upstream: upstreamOf(world.hub),
    samples: [sample(one, "sub/one.safetensors"), sample(two, "two.bin")],
    install: ({ ref }) => installInFolder(ref, ref === folderOf(one) ? one : two),
    fileOf: ({ ref }, path) => join(ref, path),
    async readerOfNothing() {
      await mkdir(join(world.root, "one"), { recursive: true });
      const { createDirectoryReader } = await import("../../../src/adapters/directory/directory-reader.ts");
      const file = join(world.root, "a file");
      await writeFile(file, "");
      const hasher = createFileHasher({ cache: memoryHashCache(), workers: 1, clock: { now: () => "2026-01-01T00:00:00.000Z" } });
      const broken = createDirectoryReader({ folders: [{ ref: file }], hasher, headers: undefined });
      return { ...broken, inspect: (_ref, level, signal) => broken.inspect(file, level, signal) };
    },
    close: () => world.close(),
  };
}

describeModelStore("plain folders", openFolderFixture, { writable: true, bytes: true });
