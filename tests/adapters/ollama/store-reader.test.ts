import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Holding, Observation } from "../../../src/domain/observed.ts";
import type { ModelHeaders } from "../../../src/ports/model-headers.ts";
import { createOllamaStoreReader } from "../../../src/adapters/ollama/store-reader.ts";
import { blobFile, hex, installSample, makeSample } from "../../fakes/ollama-samples.ts";
import { ServerStore } from "../../fakes/ollama-server-store.ts";
import { memoryHasher } from "./doubles.ts";
import { defaultHost, store, temporaryFolder } from "./store-fixture.ts";

type Observed = Extract<Observation, { state: "observed" }>;

describe("Ollama store on disk", () => {
  const signal = new AbortController().signal;
  const hasher = memoryHasher();
  let folder: string;
  let directory: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    directory = join(folder, "models");
    await mkdir(join(directory, "blobs"), { recursive: true });
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  const observe = async (headers?: ModelHeaders): Promise<Observed> => {
    const seen = await createOllamaStoreReader({ store, directory, hasher, headers }).observe({ level: "full" }, signal);
    if (seen.state === "unknown") throw new Error(seen.failure.message);
    return seen;
  };
  const write = async (parts: string, text: string): Promise<string> => {
    const path = join(directory, parts);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return path;
  };

  it("S0.10 keeps names as they are spelled, with host, port, namespace and tag", async () => {
    for (const [host, name] of [
      [defaultHost, "qwen3:8b"],
      ["hf.co", "Org/Repo-GGUF:Q4_K_M"],
      ["127.0.0.1:5055", "team/model:v1.2"],
    ] as const) {
      await installSample(directory, host, makeSample({ name, seed: 1 }));
    }
    const { holdings } = await observe();
    expect(holdings.map(({ ref }) => ref)).toEqual([
      "127.0.0.1:5055/team/model:v1.2",
      "hf.co/Org/Repo-GGUF:Q4_K_M",
      "registry.ollama.ai/library/qwen3:8b",
    ]);
  });

  it("D2 the content id is what a server calls the digest, and the manifest is its exact text", async () => {
    for (const [index, trailer] of ["", "\n", " ".repeat(3000)].entries())
      await installSample(directory, defaultHost, makeSample({ name: `m${index}:x`, seed: index, trailer }));
    const listed = new Map((await new ServerStore(directory).list()).map((model) => [model.path, model.digest]));
    const { holdings } = await observe();
    expect(holdings).toHaveLength(3);
    for (const holding of holdings) {
      expect(holding.contentId).toBe(listed.get(holding.location ?? ""));
      expect(hex(holding.manifest ?? "")).toBe(holding.contentId);
    }
  });

  it("D4 lists config and layers with their declared hashes, each digest once", async () => {
    const sample = makeSample({ name: "a:b", seed: 3 });
    await installSample(directory, defaultHost, sample);
    const manifest = JSON.parse(sample.manifest);
    manifest.layers.push(manifest.layers[0], manifest.config);
    await write(join("manifests", defaultHost, "library", "a", "b"), JSON.stringify(manifest));
    const [holding] = (await observe()).holdings;
    expect(holding?.artifacts.map(({ path, blob, declaredSha256, found }) => ({ path, blob, declaredSha256, state: found.state }))).toEqual(
      [...sample.blobs.keys()]
        .toSorted()
        .map((sha256) => ({ path: `sha256:${sha256}`, blob: `sha256:${sha256}`, declaredSha256: sha256, state: "present" })),
    );
  });

  it("reads facts from the config blob, unless its bytes are not the declared ones", async () => {
    const sample = makeSample({ name: "a:b", seed: 3, family: "qwen3" });
    await installSample(directory, defaultHost, sample);
    const template = sample.manifest.match(/image\.template","digest":"sha256:([0-9a-f]+)/)?.[1];
    const [holding] = (await observe()).holdings;
    expect(holding?.facts).toMatchObject({
      format: "gguf",
      family: "qwen3",
      parameterSize: "7B",
      quantization: "Q4_K_M",
      chatTemplateSha256: template,
    });
    const [config] = sample.blobs.keys();
    const path = blobFile(directory, config ?? "");
    await writeFile(path, (await readFile(path, "utf8")).replace("qwen3", "evil3"));
    expect((await observe()).holdings[0]?.facts.family).toBeUndefined();
  });

  it("adds what weights headers say, and warns of a malformed one", async () => {
    await installSample(directory, defaultHost, makeSample({ name: "good:x", seed: 1 }));
    const bad = makeSample({ name: "bad:x", seed: 2 });
    await installSample(directory, defaultHost, bad);
    const headers: ModelHeaders = {
      inspectFile: async (path) =>
        path.includes(bad.weights)
          ? { state: "malformed", failure: { code: "integrity", retry: "terminal", message: "a tensor lies outside the file" } }
          : { state: "understood", facts: { architecture: "llama", contextLength: 8192, capabilities: { text: { value: true, from: "header" } } } },
      inspectFolder: async () => ({ state: "other" }),
    };
    const seen = await observe(headers);
    expect(seen.holdings.find(({ ref }) => ref.includes("good"))?.facts).toMatchObject({
      contextLength: 8192,
      family: "llama",
      capabilities: { text: { value: true, from: "header" } },
    });
    expect(seen.warnings).toEqual([expect.stringContaining("a tensor lies outside the file")]);
  });

  it("understands cloud stubs: no layers, a remote host", async () => {
    const config = JSON.stringify({
      remote_host: "https://ollama.com",
      remote_model: "gpt-oss:120b",
      capabilities: ["completion", "tools"],
      context_length: 131072,
    });
    await write(join("blobs", `sha256-${hex(config)}`), config);
    const manifest = { schemaVersion: 2, config: { digest: `sha256:${hex(config)}`, size: config.length, mediaType: "x/y" }, layers: null };
    await write(join("manifests", defaultHost, "library", "gpt-oss", "120b-cloud"), JSON.stringify(manifest));
    const [holding] = (await observe()).holdings;
    expect(holding).toMatchObject({
      ref: `${defaultHost}/library/gpt-oss:120b-cloud`,
      facts: { remoteHost: "https://ollama.com", contextLength: 131072, capabilities: { tools: { value: true } } },
    });
  });

  it("finds blobs in the spelling of servers before 2024", async () => {
    const sample = makeSample({ name: "old:x", seed: 5 });
    await installSample(directory, defaultHost, sample);
    for (const digest of sample.blobs.keys()) await rename(blobFile(directory, digest), join(directory, "blobs", `sha256:${digest}`));
    expect((await observe()).holdings[0]?.artifacts.every(({ found }) => found.state === "present" && found.level === "full")).toBe(true);
  });

  it("reads the newer tree of links, which wins over the older one", async () => {
    const [old, fresh] = [makeSample({ name: "m:x", seed: 1 }), makeSample({ name: "m:x", seed: 2 })];
    await installSample(directory, defaultHost, old);
    await installSample(directory, "elsewhere", fresh);
    await rm(join(directory, "manifests", "elsewhere"), { recursive: true });
    await write(join("blobs", `sha256-${fresh.digest}`), fresh.manifest);
    await mkdir(join(directory, "manifests-v2", "ollama.com", "library", "m"), { recursive: true });
    await symlink(`../../../../blobs/sha256-${fresh.digest}`, join(directory, "manifests-v2", "ollama.com", "library", "m", "x"));
    await mkdir(join(directory, "manifests-v2", "127.0.0.1%3A5055", "n", "m"), { recursive: true });
    await symlink(`../../../../blobs/sha256-${fresh.digest}`, join(directory, "manifests-v2", "127.0.0.1%3A5055", "n", "m", "x"));
    const { holdings } = await observe();
    expect(holdings.map(({ ref, contentId }) => [ref, contentId])).toEqual([
      ["127.0.0.1:5055/n/m:x", fresh.digest],
      [`${defaultHost}/library/m:x`, fresh.digest],
    ]);
  });

  it.each([
    ["", "integrity"],
    ['{"schemaVersion":2,"layers":[', "integrity"],
    ['{"manifests":[]}', "unsupported"],
    ['{"layers":[{"digest":"../../x","size":1}]}', "integrity"],
  ])("one manifest %j is unreadable, and the others are read (S4.122)", async (text, code) => {
    await installSample(directory, defaultHost, makeSample({ name: "good:x", seed: 1 }));
    await write(join("manifests", defaultHost, "library", "torn", "x"), text);
    const seen = await observe();
    expect(seen.holdings.map(({ ref }) => ref)).toEqual([`${defaultHost}/library/good:x`]);
    expect(seen.unreadable).toMatchObject([{ ref: `${defaultHost}/library/torn:x`, failure: { code, remedy: expect.any(String) } }]);
  });

  it("a manifest that is being written is read once more before it is called torn", async () => {
    const sample = makeSample({ name: "m:x", seed: 1 });
    const path = await installSample(directory, defaultHost, sample);
    await writeFile(path, "");
    const seen = observe();
    await sleep(30);
    await writeFile(path, sample.manifest);
    expect((await seen).holdings[0]?.contentId).toBe(sample.digest);
  });

  it("names dangling links, skips folders, warns of files that are no models, and does not hang on a FIFO", async () => {
    const model = join(directory, "manifests", defaultHost, "library", "m");
    await mkdir(join(model, "folder"), { recursive: true });
    await symlink("nowhere", join(model, "dangling"));
    await writeFile(join(model, ".DS_Store"), "x");
    execFileSync("mkfifo", [join(model, "fifo")]);
    const seen = await observe();
    expect(seen.unreadable).toMatchObject([
      { ref: `${defaultHost}/library/m:dangling`, failure: { code: "not-found", message: expect.stringContaining("500") } },
      { ref: `${defaultHost}/library/m:fifo`, failure: { code: "unsupported" } },
    ]);
    expect(seen.warnings).toEqual([expect.stringContaining(".DS_Store")]);
  });

  it("finds names without regard to case, prefers the exact spelling, and warns of twins", async () => {
    const [upper, lower] = [makeSample({ name: "Lib/Model:X", seed: 1 }), makeSample({ name: "lib/model:x", seed: 2 })];
    await installSample(directory, defaultHost, upper);
    const reader = createOllamaStoreReader({ store, directory, hasher, headers: undefined });
    const find = async (ref: string): Promise<Holding | undefined> => {
      const found = await reader.inspect(ref, "presence", signal);
      return found && "artifacts" in found ? found : undefined;
    };
    expect((await find(`${defaultHost}/lib/model:x`))?.ref).toBe(`${defaultHost}/Lib/Model:X`);
    await installSample(directory, defaultHost, lower);
    expect((await find(`${defaultHost}/lib/model:x`))?.contentId).toBe(lower.digest);
    expect((await observe()).warnings).toEqual([expect.stringContaining("only in case")]);
  });

  it("D6 a folder that is no models directory, as when a disk is not mounted, is unknown and not empty", async () => {
    await rm(join(directory, "blobs"), { recursive: true });
    const seen = await createOllamaStoreReader({ store, directory, hasher, headers: undefined }).observe({ level: "presence" }, signal);
    expect(seen).toMatchObject({ state: "unknown", failure: { code: "not-found", remedy: expect.stringContaining("mounted") } });
  });

  it("changes nothing", async () => {
    await installSample(directory, defaultHost, makeSample({ name: "m:x", seed: 1 }));
    const before = await readdir(directory, { recursive: true });
    await observe();
    expect(await readdir(directory, { recursive: true })).toEqual(before);
  });
});
