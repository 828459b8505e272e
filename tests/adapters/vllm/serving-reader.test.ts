import { describe, expect, it, onTestFinished } from "vitest";
import { createServingReader, type ServingReaderOptions } from "../../../src/adapters/vllm/serving-reader.ts";
import type { ServingObservation } from "../../../src/domain/observed.ts";
import { startServingServer, type ServingServer, type ServingServerOptions } from "../../fakes/serving-server.ts";

async function started(options: ServingServerOptions = {}): Promise<ServingServer> {
  const server = await startServingServer(options);
  onTestFinished(() => server.close());
  return server;
}

function observe(url: string, options: Partial<ServingReaderOptions> = {}): Promise<ServingObservation> {
  return createServingReader({ backend: "local", url, timeoutMs: 400, ...options }).observe(new AbortController().signal);
}

describe("what a serving backend says it serves", () => {
  it("reads ids, roots, context length, version and health of vLLM", async () => {
    const { url } = await started({ id: "qwen3", root: "/cache/snapshots/abc", maxModelLen: 4096, version: "0.28.0" });
    const models = [{ id: "qwen3", root: "/cache/snapshots/abc", maxModelLen: 4096 }];
    expect(await observe(url)).toEqual({ state: "serving", backend: "local", models, version: "0.28.0", healthy: true });
    expect(await observe(`${url}/v1/`)).toMatchObject({ state: "serving", models });
  });

  it("reads LMDeploy, which has no version and no context length", async () => {
    const { url } = await started({ id: "internlm", dialect: "lmdeploy" });
    expect(await observe(url)).toEqual({ state: "serving", backend: "local", models: [{ id: "internlm", root: "internlm" }], healthy: true });
  });

  it("reads a remote service without a health route", async () => {
    const { url } = await started({ id: "gpt", dialect: "remote" });
    expect(await observe(url)).toEqual({ state: "serving", backend: "local", models: [{ id: "gpt" }], healthy: true });
  });

  it("is not healthy while it loads, and when the engine is dead", async () => {
    const server = await started({ mode: "loading" });
    expect(await observe(server.url)).toMatchObject({ state: "serving", models: [], healthy: false });
    server.mode = "unhealthy";
    expect(await observe(server.url)).toMatchObject({ state: "serving", models: [{ id: "tiny" }], healthy: false });
  });

  it("calls a refused connection down, also under a name with two addresses", async () => {
    const server = await startServingServer();
    await server.close();
    expect(await observe(server.url)).toEqual({ state: "down", backend: "local" });
    expect(await observe(server.url.replace("127.0.0.1", "localhost"))).toEqual({ state: "down", backend: "local" });
  });

  it("needs the API key where the server wants one, and sends it nowhere else", async () => {
    const server = await started({ mode: "needs-key" });
    expect(await observe(server.url)).toMatchObject({ state: "unknown", failure: { code: "unauthorized", retry: "terminal" } });
    expect(await observe(server.url, { apiKey: "sesame" })).toMatchObject({ state: "serving" });
    const elsewhere = await started();
    server.mode = "redirect";
    await observe(server.url, { apiKey: "sesame" });
    expect(elsewhere.requests).toEqual([]);
  });
});

describe("what cannot be told is unknown, never down", () => {
  it.each([
    ["hang", "timeout", "transient"],
    ["hang-midway", "timeout", "transient"],
    ["wrong-json", "protocol", "terminal"],
    ["html", "protocol", "terminal"],
    ["endless", "protocol", "terminal"],
    ["redirect", "protocol", "terminal"],
    ["error", "upstream", "transient"],
  ] as const)("%s is %s", async (mode, code, retry) => {
    const { url } = await started({ mode });
    expect(await observe(url)).toMatchObject({ state: "unknown", backend: "local", failure: { code, retry } });
  });

  it("calls a connection that breaks unreachable", async () => {
    const server = await startServingServer({ mode: "hang" });
    const observed = observe(server.url, { timeoutMs: 10_000 });
    while (server.requests.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.close();
    expect(await observed).toMatchObject({ state: "unknown", failure: { code: "unreachable", retry: "transient" } });
  });

  it("SEC-20 sends credentials of the address as a header and shows them nowhere", async () => {
    const server = await started({ mode: "error" });
    const observation = await observe(server.url.replace("http://", "http://user:se%20cret@"));
    expect(observation).toMatchObject({ state: "unknown", failure: { code: "upstream" } });
    expect(JSON.stringify(observation)).not.toContain("cret");
    expect(server.requests[0]?.authorization).toBe(`Basic ${Buffer.from("user:se cret").toString("base64")}`);
  });

  it.each(["", "localhost", "localhost:8000", "file:///etc/passwd"])("says that %j is no address", async (url) => {
    expect(await observe(url)).toMatchObject({ state: "unknown", failure: { code: "invalid-input", retry: "terminal" } });
  });

  it("rejects with the reason of the signal", async () => {
    const { url } = await started({ mode: "hang" });
    const controller = new AbortController();
    const observed = createServingReader({ backend: "local", url, timeoutMs: 10_000 }).observe(controller.signal);
    const reason = new Error("stopped");
    controller.abort(reason);
    await expect(observed).rejects.toBe(reason);
  });
});
