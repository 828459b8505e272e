import type { Ollama } from "ollama/browser";
import { failed, type HoldfastError } from "../../domain/failure.ts";
import { refusal, transportFailure, wasCutShort } from "./api-failures.ts";
import type { HttpLine, HttpQuestion } from "./http-line.ts";

/** The way to one server. */
export interface ServerLine {
  readonly line: HttpLine;
  /** Base URL, without credentials. */
  readonly server: string;
  /** Headers that every request carries. */
  readonly identity: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export const maxAnswer = 64 * 1024 * 1024;

/**
 * Runs one call of the official client over our own connections: it offers neither abort nor time limit, and prints error pages to stdout, so it gets
 * to see only good answers. `doing` completes "could not ...".
 */
export async function withClient<T>(way: ServerLine, doing: string, use: (client: Ollama) => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    const { Ollama } = await import("ollama/browser");
    return await use(new Ollama({ host: way.server, fetch: guardedFetch(way, doing, signal) }));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SyntaxError) throw notOllama(way.server, doing, error);
    throw transportFailure(error, way.server, doing);
  }
}

/** The failure for an answer that no Ollama server gives. */
export function notOllama(server: string, doing: string, cause?: unknown): HoldfastError {
  return failed("protocol", `could not ${doing}: the answer of ${server} is not what an Ollama server says`, {
    retry: "transient",
    remedy: `check that ${server} is an Ollama server and that no proxy or login page answers for it`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function guardedFetch({ line, server, identity, timeoutMs }: ServerLine, doing: string, signal: AbortSignal): typeof fetch {
  return async (input, init) => {
    const method = init?.method === "POST" || init?.method === "DELETE" ? init.method : "GET";
    const headers = { ...Object.fromEntries(new Headers(init?.headers)), ...identity };
    const question: HttpQuestion = {
      method,
      url: input instanceof Request ? input.url : String(input),
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
