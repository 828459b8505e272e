import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tinyGguf, writeHubModel, writeOllamaModel } from "../../examples/quickstart/models.ts";
import { contentDigest, sha256 } from "../../src/domain/digest.ts";
import { folderOf } from "./mirror-client.ts";

async function digestOf(folder: string, files: readonly string[]): Promise<string> {
  return contentDigest(
    await Promise.all(
      files.map(async (path) => ({ path, size: (await stat(join(folder, path))).size, sha256: sha256(await readFile(join(folder, path))) })),
    ),
  );
}

describe("tiny models of the quick start", () => {
  it("have the same bytes on every machine", async () => {
    const folder = await folderOf({});
    expect(await digestOf(folder, await writeHubModel(folder))).toBe("00a5c70dab35d40c2fbe6eb7cd85c15db814a5e128f2e18877a138b04bee8a1a");
    expect(sha256(tinyGguf())).toBe("b8269ecffc0507e6ce840852ed9c929f439af1120253a7d324072ba2299e4779");
    expect(await writeOllamaModel(folder, "tiny-chat:1b")).toBe("50fa5f816d0ac689174d7d69bb2c0400cffa27680374a7b8d73d5132ce9c5c45");
  });

  it("have other weights with another seed, and nothing else differs", async () => {
    const [a, b] = [await folderOf({}), await folderOf({})];
    const files = await writeHubModel(a);
    await writeHubModel(b, { seed: 2 });
    const differing = await Promise.all(files.map(async (file) => !(await readFile(join(a, file))).equals(await readFile(join(b, file)))));
    expect(files.filter((_, index) => differing[index])).toEqual(["model.safetensors"]);
    expect(sha256(tinyGguf({ seed: 2 }))).not.toBe(sha256(tinyGguf()));
  });

  it("make an Ollama store in which every blob is called as it hashes, and names share what is equal", async () => {
    const store = await folderOf({});
    await writeOllamaModel(store, "tiny-chat:1b");
    await writeOllamaModel(store, "acme/other", { seed: 2 });
    await writeOllamaModel(store, "tiny-embed:v1", { kind: "embedding" });
    const blobs = await readdir(join(store, "blobs"));
    for (const blob of blobs) expect(`sha256-${sha256(await readFile(join(store, "blobs", blob)))}`).toBe(blob);
    expect(blobs.length).toBe(8);
    expect(await readdir(join(store, "manifests/registry.ollama.ai/acme/other"))).toEqual(["latest"]);
    await expect(writeOllamaModel(store, "tiny@sha256:0")).rejects.toThrow("digest");
  });
});
