import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { discoverStoreDirectory } from "../../../src/adapters/ollama/discover-store.ts";
import { installSample, makeSample } from "../../fakes/ollama-samples.ts";
import { openServerScene, type ServerScene } from "./server-fixture.ts";
import { defaultHost } from "./store-fixture.ts";

const signal = new AbortController().signal;
const theta = makeSample({ name: "theta:7b", seed: 51 });

describe("the directory of an Ollama server", () => {
  let scene: ServerScene;
  let elsewhere: string;
  beforeEach(async () => {
    scene = await openServerScene({ bytes: false });
    elsewhere = join(scene.folder, "elsewhere");
    await mkdir(join(elsewhere, "blobs"), { recursive: true });
  });
  afterEach(async () => {
    await scene.close();
  });
  const discover = (candidates: readonly string[], url = scene.server.url): Promise<string | undefined> =>
    discoverStoreDirectory({ url, candidates, timeoutMs: 2_000 }, signal);

  it("is told by the server itself", async () => {
    await installSample(scene.directory, defaultHost, theta);
    expect(await discover([elsewhere])).toBe(scene.directory);
  });

  it("is a candidate whose manifests are those the server lists, and no other", async () => {
    await installSample(scene.directory, defaultHost, theta);
    await installSample(elsewhere, defaultHost, makeSample({ name: "theta:7b", seed: 52 }));
    scene.server.faults.failingShow = true;
    expect(await discover([elsewhere])).toBeUndefined();
    expect(await discover([elsewhere, scene.directory])).toBe(scene.directory);
  });

  it("is an empty candidate when the server has no models", async () => {
    await rm(join(scene.folder, "gone"), { recursive: true, force: true });
    expect(await discover([join(scene.folder, "gone"), elsewhere])).toBe(elsewhere);
    await installSample(elsewhere, defaultHost, theta);
    expect(await discover([elsewhere])).toBeUndefined();
  });

  it("is not looked for on another machine, nor when nobody answers", async () => {
    expect(await discover([elsewhere], "http://ollama.example:11434")).toBeUndefined();
    await scene.server.crash();
    expect(await discover([elsewhere])).toBeUndefined();
  });
});
