import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createProber } from "../../../src/adapters/openai/prober.ts";
import type { ProbeAnswer, ProbeRequest } from "../../../src/ports/probe.ts";
import { startChatServer, type ChatMode, type ChatServer } from "./chat-server.ts";

let server: ChatServer;
beforeAll(async () => {
  server = await startChatServer();
});
beforeEach(() => void server.requests.splice(0));
afterAll(() => server.close());

const signal = new AbortController().signal;
const request = (more: Partial<ProbeRequest> = {}): ProbeRequest => ({
  endpoint: `${server.url}/v1/`,
  model: "tiny",
  prompt: "What is it?",
  maxTokens: 16,
  timeout: 10_000,
  ...more,
});
const ask = (mode: ChatMode, more: Partial<ProbeRequest> = {}): Promise<ProbeAnswer> => {
  server.mode = mode;
  return createProber().ask(request(more), signal);
};

describe("asking a model", () => {
  it("S4.43 S4.44 S4.45 S4.110 S4.111 reads a stream cut anywhere, and tells first token, parts and tokens", async () => {
    const answer = await ask("stream");
    expect(answer).toMatchObject({ status: 200, text: "A small h\u00e9ron.", chunks: 4, streamed: true, promptTokens: 7, completionTokens: 4 });
    expect(answer.ttftMs).toBeGreaterThan(0);
    expect(answer.durationMs).toBeGreaterThan(answer.ttftMs ?? Infinity);
  });

  it("reads an answer that was not streamed, and one whose tokens nobody counted", async () => {
    const plain = await ask("plain");
    expect(plain).toMatchObject({ status: 200, text: "A small h\u00e9ron.", streamed: false, completionTokens: 4 });
    expect(plain.ttftMs).toBeUndefined();
    expect((await ask("no-usage")).completionTokens).toBeUndefined();
  });

  it("asks again without what an older server does not understand", async () => {
    expect(await ask("no-stream-options")).toMatchObject({ status: 200, text: "A small h\u00e9ron." });
    expect(server.requests.map(({ body }) => body.stream_options !== undefined)).toEqual([true, false]);
  });

  it("S1.40 sends a picture with its own media type", async () => {
    await ask("stream", { image: { path: "x.webp", mediaType: "image/webp", bytes: Buffer.from("abc") } });
    expect(server.requests[0]?.body.messages?.[0]?.content).toEqual([
      { type: "text", text: "What is it?" },
      { type: "image_url", image_url: { url: "data:image/webp;base64,YWJj" } },
    ]);
  });

  it("a refusal is an answer with its status; an error in the middle keeps what came before", async () => {
    expect(await ask("refuse")).toMatchObject({ status: 503, text: "", error: "the engine is dead" });
    expect(await ask("error-midway")).toMatchObject({ status: 200, text: "A ", error: "out of memory" });
    expect(await ask("redirect")).toMatchObject({ status: 307, text: "" });
  });

  it.each([["hang"], ["hang-midway"]] as const)("gives up on a server that %ss, and is cancelled at once", async (mode) => {
    await expect(ask(mode, { timeout: 150 })).rejects.toMatchObject({ failure: { code: "timeout", retry: "transient" } });
    const controller = new AbortController();
    const cancelled = createProber().ask(request(), controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(cancelled).rejects.toThrow("enough");
  });

  it("refuses an answer without end, one that is none, and an address that is none", async () => {
    await expect(ask("endless")).rejects.toMatchObject({ failure: { code: "protocol" } });
    await expect(ask("html")).rejects.toMatchObject({ failure: { code: "protocol" } });
    await expect(ask("stream", { endpoint: "file:///etc" })).rejects.toMatchObject({ failure: { code: "invalid-input" } });
    await expect(ask("stream", { endpoint: "http://127.0.0.1:9/v1" })).rejects.toMatchObject({
      failure: { code: "unreachable", message: expect.stringContaining("127.0.0.1:9") },
    });
  });

  it("sends a key to its own origin only, and shows credentials in no message", async () => {
    server.mode = "stream";
    await createProber({ apiKeys: new Map([[server.url, "sesame"]]) }).ask(request(), signal);
    await createProber({ apiKeys: new Map([["http://elsewhere:1", "sesame"]]) }).ask(request(), signal);
    expect(server.requests.map(({ authorization }) => authorization)).toEqual(["Bearer sesame", undefined]);
    const refused = createProber().ask(request({ endpoint: "http://me:secret@127.0.0.1:9/v1" }), signal);
    await expect(refused).rejects.toMatchObject({ failure: { message: expect.not.stringContaining("secret") } });
  });
});
