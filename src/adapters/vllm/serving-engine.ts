import { failed } from "../../domain/failure.ts";
import type { ServingEngine } from "../../ports/serving-engine.ts";
import { askServer, serverAddress, type ServerAddress } from "./ask-server.ts";
import { inFlightOf } from "./in-flight.ts";

/** One engine to ask. */
export interface ServingEngineOptions {
  /** Name of the Backend. */
  readonly backend: string;
  readonly url: string;
  readonly timeoutMs?: number;
  readonly apiKey?: string;
}

/** Routes by which a model can answer with one token, the plainest first: embedding models have only the last. */
const routes = [
  { path: "/v1/completions", body: (model: string) => ({ model, prompt: "Hello", max_tokens: 1, temperature: 0 }), answer: "choices" },
  {
    path: "/v1/chat/completions",
    body: (model: string) => ({ model, messages: [{ role: "user", content: "Hello" }], max_tokens: 1, temperature: 0 }),
    answer: "choices",
  },
  { path: "/v1/embeddings", body: (model: string) => ({ model, input: "Hello" }), answer: "data" },
] as const;

/** A model that does not do one kind of task says so with one of these; anything else comes from a server that does not work. */
const cannotDoThis: ReadonlySet<number> = new Set([400, 404, 405, 422, 501]);

/** Asks vLLM, LMDeploy and llama.cpp servers, which answer alike in everything that is asked here. */
export function createServingEngine({ backend, url, timeoutMs = 3_000, apiKey }: ServingEngineOptions): ServingEngine {
  const server = serverAddress(url, timeoutMs, apiKey);
  return {
    backend,
    inFlight: async (signal) => {
      const answer = await askServer(server, "/metrics", signal);
      return answer.kind === "answer" && answer.status === 200 ? inFlightOf(answer.text) : undefined;
    },
    generateOne: (servedId, timeout, signal) => generateOne(server, servedId, timeout, signal),
  };
}

async function generateOne(server: ServerAddress, servedId: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const refusals: string[] = [];
  for (const { path, body, answer: name } of routes) {
    const answer = await askServer({ ...server, timeoutMs }, path, signal, body(servedId));
    if (answer.kind === "refused") throw failed("unreachable", `POST ${path}: ${server.url} refuses connections`);
    if (answer.kind === "failed") throw failed(answer.failure.code, answer.failure.message);
    if (answer.status === 200) {
      if (hasEntries(answer.body, name)) return;
      throw failed("protocol", `POST ${path}: ${server.url} answered 200 without a token`);
    }
    const refusal = `${path} ${answer.status} ${answer.text.slice(0, 200).replaceAll(/\s+/g, " ")}`.trimEnd();
    if (!cannotDoThis.has(answer.status)) throw failed("upstream", `${server.url} does not let ${servedId} answer: ${refusal}`);
    refusals.push(refusal);
  }
  throw failed("upstream", `${server.url} does not let ${servedId} answer: ${refusals[0] ?? ""}`);
}

function hasEntries(body: unknown, name: string): boolean {
  if (typeof body !== "object" || body === null) return false;
  const entries: unknown = Object.entries(body).find(([key]) => key === name)?.[1];
  return Array.isArray(entries) && entries.length > 0;
}
