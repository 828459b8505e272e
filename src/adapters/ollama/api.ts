import type { Dispatcher } from "undici";
import type { Ollama } from "ollama/browser";
import { failed, HoldfastError } from "../../domain/failure.ts";
import { refusal, transportFailure, wasCutShort } from "./api-failures.ts";
import { parseBaseUrl, type BaseUrl } from "./base-url.ts";
import { listOf, recordOf, textOf, type Unknowns } from "./decode.ts";
import { createHttpLine, type HttpLine, type HttpQuestion, type HttpStream } from "./http-line.ts";

export interface OllamaApiOptions {
  readonly url: string;
  /** Longest wait for a complete answer; default 40 s, because a server that looks for GPUs is silent for up to 30 s. */
  readonly timeoutMs?: number;
  readonly dispatcher?: Dispatcher;
}

/** The calls of one Ollama server. Each rejects with HoldfastError, or with the signal's reason. */
export interface OllamaApi {
  readonly server: BaseUrl;
  tags(signal: AbortSignal): Promise<readonly Unknowns[]>;
  running(signal: AbortSignal): Promise<readonly Unknowns[]>;
  version(signal: AbortSignal): Promise<string>;
  show(model: string, signal: AbortSignal): Promise<Unknowns>;
  copy(source: string, destination: string, signal: AbortSignal): Promise<void>;
  /** False when there was nothing to delete. */
  remove(model: string, signal: AbortSignal): Promise<boolean>;
  /** Asks the server to drop the model from memory; it does so later. */
  unload(model: string, signal: AbortSignal): Promise<void>;
  hasBlob(digest: string, signal: AbortSignal): Promise<boolean>;
  /** Starts a pull; its lines are read from the stream. Disconnecting cancels it. */
  startPull(model: string, insecure: boolean, signal: AbortSignal): Promise<HttpStream>;
}

const defaultTimeout = 40_000;
const maxAnswer = 64 * 1024 * 1024;

export function createOllamaApi(options: OllamaApiOptions): OllamaApi {
  const server = parseBaseUrl(options.url);
  const timeoutMs = options.timeoutMs ?? defaultTimeout;
  const line = createHttpLine(options.dispatcher);
  const identity: Readonly<Record<string, string>> = server.authorization === undefined ? {} : { authorization: server.authorization };

  /** Runs one call of the official client over our connections: it offers neither abort nor time limit, and prints error pages to stdout. */
  const call = async <T>(doing: string, signal: AbortSignal, use: (client: Ollama) => Promise<T>): Promise<T> => {
    try {
      const { Ollama } = await import("ollama/browser");
      return await use(new Ollama({ host: server.text, fetch: guardedFetch({ line, identity, timeoutMs, server: server.text, doing }, signal) }));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SyntaxError) throw notJson(server.text, doing, error);
      throw transportFailure(error, server.text, doing);
    }
  };

  const ask = async (doing: string, question: Pick<HttpQuestion, "method" | "url">, signal: AbortSignal): Promise<number> => {
    try {
      const answer = await line.ask({ ...question, headers: identity, timeoutMs, maxBytes: maxAnswer }, signal);
      if (answer.status >= 400 && answer.status !== 404) throw refusal(answer, server.text, doing);
      return answer.status;
    } catch (error) {
      signal.throwIfAborted();
      throw transportFailure(error, server.text, doing);
    }
  };

  return {
    server,
    tags: (signal) => call("list models", signal, async (client) => modelsOf(await client.list(), server.text, "list models")),
    running: (signal) => call("list loaded models", signal, async (client) => modelsOf(await client.ps(), server.text, "list loaded models")),
    version: (signal) => call("ask for the version", signal, async (client) => textOf(recordOf(await client.version())["version"]) ?? "unknown"),
    show: (model, signal) => call(`read the facts of ${model}`, signal, async (client) => recordOf(await client.show({ model }))),
    async copy(source, destination, signal) {
      await call(`copy ${source} to ${destination}`, signal, (client) => client.copy({ source, destination }));
    },
    async remove(model, signal) {
      try {
        await call(`delete model ${model}`, signal, (client) => client.delete({ model }));
        return true;
      } catch (error) {
        if (error instanceof HoldfastError && error.failure.code === "not-found") return false;
        throw error;
      }
    },
    async unload(model, signal) {
      await call(`unload ${model}`, signal, (client) => client.generate({ model, prompt: "", keep_alive: 0, stream: false }));
    },
    async hasBlob(digest, signal) {
      return (await ask(`look for blob ${digest}`, { method: "HEAD", url: `${server.text}/api/blobs/${digest}` }, signal)) < 400;
    },
    async startPull(model, insecure, signal) {
      const headers = { ...identity, "content-type": "application/json", accept: "application/x-ndjson" };
      const body = JSON.stringify({ model, insecure, stream: true });
      try {
        return await line.stream({ method: "POST", url: `${server.text}/api/pull`, headers, body }, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw transportFailure(error, server.text, `pull ${model}`);
      }
    },
  };
}

interface Guard {
  readonly line: HttpLine;
  readonly identity: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly server: string;
  readonly doing: string;
}

function guardedFetch({ line, identity, timeoutMs, server, doing }: Guard, signal: AbortSignal): typeof fetch {
  return async (input, init) => {
    const method = init?.method === "POST" || init?.method === "DELETE" ? init.method : "GET";
    const headers = { ...Object.fromEntries(new Headers(init?.headers)), ...identity };
    const question: HttpQuestion = {
      method,
      url: String(input),
      headers,
      timeoutMs,
      maxBytes: maxAnswer,
      ...(typeof init?.body === "string" ? { body: init.body } : {}),
    };
    const answer = await askTwice(line, question, signal);
    if (answer.status >= 400) throw refusal(answer, server, doing);
    return new Response(new Uint8Array(answer.bytes), { status: 200 });
  };
}

/** A pooled connection may have been closed by a restart of the server; reading again is harmless. */
async function askTwice(line: HttpLine, question: HttpQuestion, signal: AbortSignal): ReturnType<HttpLine["ask"]> {
  try {
    return await line.ask(question, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (question.method !== "GET" || !wasCutShort(error)) throw error;
    return line.ask(question, signal);
  }
}

function modelsOf(answer: unknown, server: string, doing: string): readonly Unknowns[] {
  const models = recordOf(answer)["models"];
  if (models !== null && !Array.isArray(models)) throw notJson(server, doing, undefined);
  return listOf(models).map(recordOf);
}

function notJson(server: string, doing: string, cause: unknown): HoldfastError {
  return failed("protocol", `could not ${doing}: the answer of ${server} is not what an Ollama server says`, {
    retry: "transient",
    remedy: `check that ${server} is an Ollama server and that no proxy or login page answers for it`,
    cause,
  });
}
