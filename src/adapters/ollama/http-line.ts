import type { Dispatcher } from "undici";
import { failed } from "../../domain/failure.ts";

/** One request whose whole answer fits in memory. */
export interface HttpQuestion {
  readonly method: "GET" | "HEAD" | "POST" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Until the last byte of the answer. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

/** An answer that is read as it comes; nobody but the caller decides how long it may take. */
export interface HttpStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Requests over pooled connections. Rejects with the signal's reason, with HoldfastError `timeout` or `protocol`, or with the transport's error. */
export interface HttpLine {
  ask(question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer>;
  stream(question: Omit<HttpQuestion, "timeoutMs" | "maxBytes">, signal: AbortSignal): Promise<HttpStream>;
}

const connections = 8;

/** Without a dispatcher it keeps a pool of its own; idle connections do not keep the program running. */
export function createHttpLine(given?: Dispatcher): HttpLine {
  let pool: Promise<Dispatcher> | undefined = given && Promise.resolve(given);
  const open = async (question: Omit<HttpQuestion, "timeoutMs" | "maxBytes">, signal: AbortSignal): Promise<Dispatcher.ResponseData> => {
    const { request } = await import("undici");
    pool ??= ownPool();
    const { method, url, headers, body } = question;
    // Limits are ours: undici's would end a pull that verifies for minutes without a byte, and with it the transfer on the server.
    return request(url, {
      method,
      dispatcher: await pool,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(headers ? { headers } : {}),
      ...(body === undefined ? {} : { body }),
    });
  };

  return {
    async ask(question, signal) {
      signal.throwIfAborted();
      const late = AbortSignal.timeout(question.timeoutMs);
      try {
        const { statusCode, headers, body } = await open(question, AbortSignal.any([signal, late]));
        return { status: statusCode, headers: plainHeaders(headers), bytes: await readCapped(body, question) };
      } catch (error) {
        signal.throwIfAborted();
        if (late.aborted)
          throw failed("timeout", `no complete answer from ${question.url} within ${question.timeoutMs / 1000} s`, {
            retry: "transient",
            cause: error,
          });
        throw error;
      }
    },
    async stream(question, signal) {
      signal.throwIfAborted();
      const { statusCode, headers, body } = await open(question, signal);
      return { status: statusCode, headers: plainHeaders(headers), body };
    },
  };
}

async function ownPool(): Promise<Dispatcher> {
  const { Agent } = await import("undici");
  return new Agent({ connections, connect: { timeout: 10_000 } });
}

async function readCapped(body: Dispatcher.ResponseData["body"], question: HttpQuestion): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > question.maxBytes) {
      body.destroy();
      throw failed("protocol", `the answer of ${question.url} is larger than ${question.maxBytes} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function plainHeaders(headers: Dispatcher.ResponseData["headers"]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([key, value]) => (value === undefined ? [] : [[key, Array.isArray(value) ? value.join(", ") : value] as const])),
  );
}
