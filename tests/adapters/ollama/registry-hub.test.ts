import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ArtifactHub } from "../../../src/ports/artifact-hub.ts";
import type { Upstream } from "../../../src/domain/upstream.ts";
import { createOllamaRegistryHub } from "../../../src/adapters/ollama/registry-hub.ts";
import { startFakeRegistry, type FakeRegistry } from "../../fakes/ollama-registry.ts";
import { makeSample } from "../../fakes/ollama-samples.ts";

const eta = makeSample({ name: "eta:7b", seed: 41, trailer: "\n" });
const signal = new AbortController().signal;

describe("Ollama registry", () => {
  let registry: FakeRegistry;
  let hub: ArtifactHub;
  beforeEach(async () => {
    registry = await startFakeRegistry();
    registry.publish(eta);
    hub = createOllamaRegistryHub({ insecure: (host) => host === registry.host, timeoutMs: 5_000 });
  });
  afterEach(async () => {
    await registry.close();
  });
  const resolve = (model = `${registry.host}/library/eta:7b`, blobs?: readonly string[]): Promise<Upstream> =>
    hub.resolve({ source: { kind: "ollama", model }, ...(blobs === undefined ? {} : { blobs }) }, signal);

  it("tells what a tag offers: digest of the exact bytes, manifest text, layers with size and hash", async () => {
    expect(await resolve()).toEqual({
      state: "resolved",
      kind: "ollama",
      digest: eta.digest,
      manifest: eta.manifest,
      files: expect.arrayContaining([...eta.blobs].map(([sha256, bytes]) => ({ path: `sha256:${sha256}`, size: bytes.length, sha256 }))),
      missingBlobs: [],
    });
    expect(registry.sent()).toEqual([]);
  });

  it("tells which blobs are gone, also when the tag is gone", async () => {
    const [kept = "", gone = ""] = eta.blobs.keys();
    registry.faults.missingBlobs.add(gone);
    expect(await resolve(undefined, [kept, gone])).toMatchObject({ state: "resolved", missingBlobs: [gone] });
    registry.retract("eta:7b");
    expect(await resolve(undefined, [kept, gone])).toMatchObject({ state: "failed", failure: { code: "not-found" }, missingBlobs: [gone] });
  });

  it.each([
    [401, "unauthorized", "terminal"],
    [403, "unauthorized", "terminal"],
    [404, "not-found", "terminal"],
    [412, "unsupported", "terminal"],
    [429, "rate-limited", "transient"],
    [503, "upstream", "transient"],
  ])("F10 status %i is %s (%s)", async (status, code, retry) => {
    registry.faults.manifestStatus = status;
    registry.faults.retryAfter = "120";
    const upstream = await resolve();
    expect(upstream).toMatchObject({ state: "failed", failure: { code, retry, remedy: expect.any(String) } });
    if (status === 429) expect(upstream.state === "failed" && upstream.failure.message).toContain("120 s");
  });

  it("a login page is not a manifest", async () => {
    registry.faults.html = true;
    expect(await resolve()).toMatchObject({ state: "failed", failure: { code: "protocol" } });
  });

  it("fetches an anonymous token from the registry's own host", async () => {
    registry.faults.auth = {};
    expect(await resolve(undefined, [...eta.blobs.keys()])).toMatchObject({ state: "resolved", missingBlobs: [] });
    expect(registry.requests.some((request) => request.startsWith("GET /token?service=fake&scope=repository%3Ax%3Apull&ts="))).toBe(true);
  });

  it("SEC-12 asks no other host for a token, whatever the registry says", async () => {
    const seen: string[] = [];
    const other = await listen(createServer((request, response) => void (seen.push(request.url ?? ""), response.end('{"token":"x"}'))));
    registry.faults.auth = { realm: `http://127.0.0.1:${portOf(other)}/token` };
    expect(await resolve()).toMatchObject({ state: "failed", failure: { code: "unauthorized", message: expect.stringContaining("another host") } });
    expect(seen).toEqual([]);
    await close(other);
  });

  it("SEC-12 does not carry a token to another host on a redirect", async () => {
    const seen: (string | undefined)[] = [];
    const other = await listen(createServer((request, response) => void (seen.push(request.headers.authorization), response.end(eta.manifest))));
    const front = await listen(
      createServer((request, response) => {
        if (request.url?.startsWith("/token")) return void response.end('{"token":"pass"}');
        if (request.headers.authorization === undefined)
          return void response.writeHead(401, { "www-authenticate": `Bearer realm="http://${request.headers.host}/token"` }).end();
        response.writeHead(302, { location: `http://127.0.0.1:${portOf(other)}/x` }).end();
      }),
    );
    const name = `127.0.0.1:${portOf(front)}/library/eta:7b`;
    const strict = createOllamaRegistryHub({ insecure: () => true, timeoutMs: 5_000 });
    expect(await strict.resolve({ source: { kind: "ollama", model: name } }, signal)).toMatchObject({
      state: "failed",
      failure: { code: "protocol" },
    });
    expect(seen).toEqual([]);
    await Promise.all([close(front), close(other)]);
  });

  it("speaks HTTPS unless told otherwise: there is no exception for this machine", async () => {
    const strict = createOllamaRegistryHub({ insecure: () => false, timeoutMs: 5_000 });
    const upstream = await strict.resolve({ source: { kind: "ollama", model: `${registry.host}/library/eta:7b` } }, signal);
    expect(upstream).toMatchObject({ state: "failed", failure: { code: "unreachable" } });
    expect(registry.requests).toEqual([]);
  });

  it("a registry that is not there is unreachable and worth another try", async () => {
    await registry.close();
    expect(await resolve(undefined, [eta.weights])).toMatchObject({ state: "failed", failure: { code: "unreachable", retry: "transient" } });
    registry = await startFakeRegistry();
  });

  it("SEC-08 stops reading an endless manifest", async () => {
    const endless = await listen(
      createServer((_request, response) => {
        const write = (): void => {
          while (response.write(Buffer.alloc(1024 * 1024, " ")));
        };
        response.on("drain", write);
        write();
      }),
    );
    const open = createOllamaRegistryHub({ insecure: () => true, timeoutMs: 30_000 });
    expect(await open.resolve({ source: { kind: "ollama", model: `127.0.0.1:${portOf(endless)}/library/x:y` } }, signal)).toMatchObject({
      state: "failed",
      failure: { code: "protocol", message: expect.stringContaining("larger") },
    });
    await close(endless);
  });

  it("rejects with the signal's reason and nothing else", async () => {
    const reason = new Error("stop");
    await expect(hub.resolve({ source: { kind: "ollama", model: "eta:7b" } }, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await hub.resolve({ source: { kind: "ollama", model: "no name at all" } }, signal)).toMatchObject({
      state: "failed",
      failure: { code: "invalid-input" },
    });
  });
});

async function listen(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
