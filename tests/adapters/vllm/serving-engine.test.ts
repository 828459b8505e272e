import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { inFlightOf } from "../../../src/adapters/vllm/in-flight.ts";
import { createServingEngine } from "../../../src/adapters/vllm/serving-engine.ts";
import type { ServingEngine } from "../../../src/ports/serving-engine.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const { signal } = new AbortController();

async function engineThat(answers: RequestListener): Promise<ServingEngine> {
  const server = createServer(answers).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return createServingEngine({ backend: "gpu", url: `http://127.0.0.1:${address.port}`, timeoutMs: 500 });
}

/** Answers routes with a status and a body, everything else with 404. */
function routes(table: Readonly<Record<string, readonly [number, unknown]>>): RequestListener {
  return (request, response) => {
    const [status, body] = table[request.url ?? ""] ?? [404, { error: "no such route" }];
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
}

describe("the one-token test", () => {
  it("S1.11 sends one completion for the served id, and is content with one choice", async () => {
    const asked: string[] = [];
    const engine = await engineThat((request, response) => {
      let body = "";
      request.on("data", (data: Buffer) => (body += data.toString()));
      request.on("end", () => {
        asked.push(`${request.method ?? ""} ${request.url ?? ""} ${body}`);
        response.end(JSON.stringify({ choices: [{ text: "!" }] }));
      });
    });
    await engine.generateOne("team/a", 1_000, signal);
    expect(asked).toEqual(['POST /v1/completions {"model":"team/a","prompt":"Hello","max_tokens":1,"temperature":0}']);
  });

  it.each([
    ["chat only", { "/v1/chat/completions": [200, { choices: [{}] }] }],
    ["embeddings only", { "/v1/completions": [400, {}], "/v1/embeddings": [200, { data: [{}] }] }],
  ] as const)("S1.11 finds the task of a model that does %s", async (_, table) => {
    await (await engineThat(routes(table))).generateOne("a", 1_000, signal);
  });

  it.each([
    ["a dead engine", { "/v1/completions": [500, { error: "EngineDeadError" }] }, /does not let a answer: \/v1\/completions 500 .*EngineDeadError/],
    ["an answer without a token", { "/v1/completions": [200, { choices: [] }] }, /answered 200 without a token/],
    ["an answer that is something else", { "/v1/completions": [200, null] }, /answered 200 without a token/],
    ["a model that does nothing", {}, /does not let a answer: \/v1\/completions 404/],
  ] as const)("S1.11 fails for %s", async (_, table, message) => {
    await expect((await engineThat(routes(table))).generateOne("a", 1_000, signal)).rejects.toThrow(message);
  });

  it("S1.11 fails for a server that hangs, that is gone, and stops when it is cancelled", async () => {
    const hung = await engineThat(() => {});
    await expect(hung.generateOne("a", 100, signal)).rejects.toMatchObject({ failure: { code: "timeout" } });
    const gone = createServingEngine({ backend: "gpu", url: "http://127.0.0.1:1" });
    await expect(gone.generateOne("a", 1_000, signal)).rejects.toMatchObject({ failure: { code: "unreachable" } });
    const cancel = new AbortController();
    const asking = hung.generateOne("a", 60_000, cancel.signal);
    cancel.abort(new Error("enough"));
    await expect(asking).rejects.toThrow("enough");
  });
});

describe("requests in flight", () => {
  it.each([
    [
      "vLLM",
      'vllm:num_requests_running{engine="0",model_name="a}b"} 2.0\nvllm:num_requests_waiting{engine="0"} 1.0\nvllm:num_requests_waiting_by_reason{reason="x"} 1.0',
      3,
    ],
    ["LMDeploy", 'lmdeploy:num_requests_running{model_name="a"} 0\nlmdeploy:num_requests_waiting{model_name="a"} 4', 4],
    ["llama.cpp", "llamacpp:requests_processing 1\nllamacpp:requests_deferred 0", 1],
    ["nothing that is known", "up 1", undefined],
  ])("S1.11 are read from what %s says", (_, text, count) => {
    expect(inFlightOf(text)).toBe(count);
  });

  it("S1.11 are unknown where the engine does not tell", async () => {
    expect(await (await engineThat(routes({}))).inFlight(signal)).toBeUndefined();
    expect(await createServingEngine({ backend: "gpu", url: "http://127.0.0.1:1" }).inFlight(signal)).toBeUndefined();
  });
});
