import type { Dispatcher } from "undici";
import { HoldfastError } from "../../domain/failure.ts";
import { refusal, transportFailure } from "./api-failures.ts";
import { parseBaseUrl, type BaseUrl } from "./base-url.ts";
import { listOf, recordOf, textOf, type Unknowns } from "./decode.ts";
import { maxAnswer, notOllama, withClient, type ServerLine } from "./official-client.ts";
import { createHttpLine, type HttpStream } from "./http-line.ts";

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
  /** Gets the model into memory, which may take minutes, or changes how long it stays there. Embedding models have a call of their own. */
  load(model: string, how: LoadCall, signal: AbortSignal): Promise<void>;
  /** Asks the server to drop the model from memory; it does so later. */
  unload(model: string, signal: AbortSignal): Promise<void>;
  hasBlob(digest: string, signal: AbortSignal): Promise<boolean>;
  /** Starts a pull; its lines are read from the stream. Disconnecting cancels it. */
  startPull(model: string, insecure: boolean, signal: AbortSignal): Promise<HttpStream>;
}

export interface LoadCall {
  readonly embedding: boolean;
  /** Go duration, or -1 for ever. */
  readonly keepAlive: string | number;
  readonly timeoutMs: number;
}

const defaultTimeout = 40_000;

export function createOllamaApi(options: OllamaApiOptions): OllamaApi {
  const server = parseBaseUrl(options.url);
  const identity: Readonly<Record<string, string>> = server.authorization === undefined ? {} : { authorization: server.authorization };
  const way: ServerLine = { line: createHttpLine(options.dispatcher), server: server.text, identity, timeoutMs: options.timeoutMs ?? defaultTimeout };
  return {
    server,
    tags: (signal) => withClient(way, "list models", async (client) => modelsOf(await client.list(), server.text, "list models"), signal),
    running: (signal) =>
      withClient(way, "list loaded models", async (client) => modelsOf(await client.ps(), server.text, "list loaded models"), signal),
    version: (signal) =>
      withClient(way, "ask for the version", async (client) => textOf(recordOf(await client.version())["version"]) ?? "unknown", signal),
    show: (model, signal) => withClient(way, `read the facts of ${model}`, async (client) => recordOf(await client.show({ model })), signal),
    async copy(source, destination, signal) {
      await withClient(way, `copy ${source} to ${destination}`, (client) => client.copy({ source, destination }), signal);
    },
    async remove(model, signal) {
      try {
        await withClient(way, `delete model ${model}`, (client) => client.delete({ model }), signal);
        return true;
      } catch (error) {
        if (error instanceof HoldfastError && error.failure.code === "not-found") return false;
        throw error;
      }
    },
    async load(model, { embedding, keepAlive, timeoutMs }, signal) {
      const longWay = { ...way, timeoutMs };
      const doing = `load ${model}`;
      if (embedding) await withClient(longWay, doing, (client) => client.embed({ model, input: [], keep_alive: keepAlive }), signal);
      else await withClient(longWay, doing, (client) => client.generate({ model, prompt: "", keep_alive: keepAlive, stream: false }), signal);
    },
    async unload(model, signal) {
      await withClient(way, `unload ${model}`, (client) => client.generate({ model, prompt: "", keep_alive: 0, stream: false }), signal);
    },
    hasBlob: (digest, signal) => hasBlob(way, digest, signal),
    startPull: (model, insecure, signal) => startPull(way, { model, insecure }, signal),
  };
}

/** The official client has no call for blobs. */
async function hasBlob({ line, server, identity, timeoutMs }: ServerLine, digest: string, signal: AbortSignal): Promise<boolean> {
  const doing = `look for blob ${digest}`;
  try {
    const answer = await line.ask(
      { method: "HEAD", url: `${server}/api/blobs/${digest}`, headers: identity, timeoutMs, maxBytes: maxAnswer },
      signal,
    );
    if (answer.status >= 400 && answer.status !== 404) throw refusal(answer, server, doing);
    return answer.status < 400;
  } catch (error) {
    signal.throwIfAborted();
    throw transportFailure(error, server, doing);
  }
}

/** The official client can be aborted only after its first line, and does not end the transfer when its reader goes away. */
async function startPull(way: ServerLine, { model, insecure }: { model: string; insecure: boolean }, signal: AbortSignal): Promise<HttpStream> {
  const { line, server, identity } = way;
  const headers = { ...identity, "content-type": "application/json", accept: "application/x-ndjson" };
  const body = JSON.stringify({ model, insecure, stream: true });
  try {
    return await line.stream({ method: "POST", url: `${server}/api/pull`, headers, body }, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw transportFailure(error, server, `pull ${model}`);
  }
}

function modelsOf(answer: unknown, server: string, doing: string): readonly Unknowns[] {
  const models = recordOf(answer)["models"];
  if (models !== null && !Array.isArray(models)) throw notOllama(server, doing);
  return listOf(models).map(recordOf);
}
