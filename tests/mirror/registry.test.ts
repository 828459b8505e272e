import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeOllamaModel } from "../../examples/quickstart/models.ts";
import { sha256 } from "../../src/domain/digest.ts";
import { addFiles, ask, folderOf, mirrorOf } from "./mirror-client.ts";

const blobText = "a layer";
const digest = sha256(blobText);
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  layers: [{ digest: `sha256:${digest}` }],
});
const store = { "manifests/registry.ollama.ai/library/tiny/1b": manifest, [`blobs/sha256-${digest}`]: blobText };
const blobUrl = `/v2/library/tiny/blobs/sha256:${digest}`;

describe("an Ollama store as a registry", () => {
  it("answers the version check", async () => {
    const mirror = await mirrorOf(await folderOf(store));
    for (const path of ["/v2", "/v2/"])
      expect(await ask(mirror, path)).toMatchObject({ status: 200, headers: { "docker-distribution-api-version": "registry/2.0" } });
  });

  it("sends manifests byte for byte, by tag and by digest", async () => {
    const mirror = await mirrorOf(await folderOf(store));
    for (const reference of ["1b", `sha256:${sha256(manifest)}`]) {
      const answer = await ask(mirror, `/v2/library/tiny/manifests/${reference}`);
      expect(answer).toMatchObject({
        status: 200,
        headers: { "docker-content-digest": `sha256:${sha256(manifest)}`, "content-type": "application/vnd.docker.distribution.manifest.v2+json" },
      });
      expect(answer.body.toString()).toBe(manifest);
      const head = await ask(mirror, `/v2/library/tiny/manifests/${reference}`, { method: "HEAD" });
      expect(head).toMatchObject({ status: 200, headers: { "content-length": String(manifest.length) }, body: Buffer.alloc(0) });
    }
    for (const missing of ["2b", `sha256:${"0".repeat(64)}`, "sha256:0"])
      expect(await ask(mirror, `/v2/library/tiny/manifests/${missing}`)).toMatchObject({ status: 404 });
  });

  it("finds models of other registries and prefers the public one", async () => {
    const mirror = await mirrorOf(
      await folderOf({
        "manifests/hf.co/acme/only/q4": "{}",
        "manifests/hf.co/library/tiny/1b": "{}",
        "manifests/registry.ollama.ai/library/tiny/1b": manifest,
      }),
    );
    expect((await ask(mirror, "/v2/acme/only/manifests/q4")).body.toString()).toBe("{}");
    expect((await ask(mirror, "/v2/library/tiny/manifests/1b")).body.toString()).toBe(manifest);
  });

  it("serves a store below `ollama/`, beside models", async () => {
    const folder = await folderOf({ "acme/tiny/config.json": "{}" });
    const manifestDigest = await writeOllamaModel(join(folder, "ollama"), "tiny-chat:1b");
    const mirror = await mirrorOf(folder);
    const answer = await ask(mirror, "/v2/library/tiny-chat/manifests/1b");
    expect(sha256(answer.body)).toBe(manifestDigest);
    expect((await ask(mirror, "/")).json()).toMatchObject({ models: ["acme/tiny"], ollama: ["library/tiny-chat:1b"] });
    expect(await ask(mirror, "/api/models/ollama/blobs")).toMatchObject({ status: 404 });
  });

  it("finds blobs of stores from before 2024", async () => {
    const mirror = await mirrorOf(await folderOf({ [`blobs/sha256:${digest}`]: blobText }));
    expect((await ask(mirror, `${blobUrl}?direct=1`)).body.toString()).toBe(blobText);
  });

  it("sees a new tag and a new blob at once", async () => {
    const folder = await folderOf(store);
    const mirror = await mirrorOf(folder);
    expect(await ask(mirror, "/v2/library/tiny/manifests/2b")).toMatchObject({ status: 404 });
    await addFiles(folder, { "manifests/registry.ollama.ai/library/tiny/2b": "{}", [`blobs/sha256-${sha256("x")}`]: "x" });
    expect(await ask(mirror, "/v2/library/tiny/manifests/2b")).toMatchObject({ status: 200 });
    expect(await ask(mirror, `/v2/library/tiny/blobs/sha256:${sha256("x")}`, { method: "HEAD" })).toMatchObject({
      status: 200,
      headers: { "content-length": "1" },
    });
  });
});

describe("the redirect that Ollama wants for blobs", () => {
  it.each([
    ["127.0.0.1", "localhost"],
    ["localhost", "127.0.0.1"],
  ])("sends %s to %s with 307, and the bytes lie there", async (from, to) => {
    const mirror = await mirrorOf(await folderOf(store));
    const answer = await ask(mirror, blobUrl, { headers: { host: `${from}:${mirror.port}` } });
    expect(answer.status).toBe(307);
    const location = new URL(String(answer.headers["location"]));
    expect(location.host).toBe(`${to}:${mirror.port}`);
    const direct = await ask(mirror, location.pathname + location.search, { headers: { host: location.host, range: "bytes=2-6" } });
    expect(direct).toMatchObject({ status: 206, headers: { "content-range": "bytes 2-6/7" } });
    expect(direct.body.toString()).toBe("layer");
  });

  it("answers HEAD with the length, and a range at once", async () => {
    const mirror = await mirrorOf(await folderOf(store));
    expect(await ask(mirror, blobUrl, { method: "HEAD" })).toMatchObject({
      status: 200,
      headers: { "content-length": "7", "docker-content-digest": `sha256:${digest}` },
    });
    expect((await ask(mirror, blobUrl, { headers: { range: "bytes=0-0" } })).body.toString()).toBe("a");
  });

  it("gives a Location and the bytes where there is no other name", async () => {
    const mirror = await mirrorOf(await folderOf(store), { allowedHosts: ["Mirror.Example"] });
    const answer = await ask(mirror, blobUrl, { headers: { host: "mirror.example:5000" } });
    expect(answer).toMatchObject({ status: 200, headers: { location: `http://mirror.example:5000${blobUrl}?direct=1` } });
    expect(answer.body.toString()).toBe(blobText);
  });

  it("sends clients to the other name that the operator gave", async () => {
    const mirror = await mirrorOf(await folderOf(store), { allowedHosts: ["mirror.example"], ollamaBlobHost: "blobs.example" });
    const answer = await ask(mirror, blobUrl, { headers: { host: "mirror.example" } });
    expect(answer).toMatchObject({ status: 307, headers: { location: `http://blobs.example${blobUrl}?direct=1` } });
    expect(await ask(mirror, `${blobUrl}?direct=1`, { headers: { host: "blobs.example" } })).toMatchObject({ status: 200 });
  });
});

describe("SEC-02 digests and names that lead elsewhere", () => {
  const bad = [
    "../../../secret",
    "..%2f..%2f..%2fsecret",
    "sha256:../secret",
    `sha256:${"A".repeat(64)}`,
    `sha256:${"0".repeat(63)}`,
    `sha256-${digest}`,
    "",
    "%00",
    `sha256:${digest}-partial`,
  ];

  it.each(bad)("finds no blob %j", async (reference) => {
    const mirror = await mirrorOf(await folderOf({ ...store, secret: "secret", [`blobs/sha256-${digest}-partial`]: "half" }));
    const answer = await ask(mirror, `/v2/library/tiny/blobs/${reference}?direct=1`);
    expect(answer.status).toBe(404);
    expect(answer.body.toString()).not.toContain("secret");
  });

  it.each([
    ["..%2f..", "secret", "x"],
    ["..", "..", "secret"],
    ["library", "tiny%2f..%2ftiny", "1b"],
    ["library", "tiny", "..%2f..%2f..%2f..%2fsecret"],
    ["library", "tiny", ".hidden"],
  ])("finds no manifest %s/%s:%s", async (namespace, model, tag) => {
    const folder = await folderOf({ ...store, secret: "secret", "manifests/registry.ollama.ai/library/tiny/.hidden": "secret" });
    const answer = await ask(await mirrorOf(folder), `/v2/${namespace}/${model}/manifests/${tag}`);
    expect(answer.status).toBe(404);
    expect(await readFile(join(folder, "secret"), "utf8")).toBe("secret");
  });
});
