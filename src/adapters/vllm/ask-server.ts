import { failed, toFailure, type Failure } from "../../domain/failure.ts";

/** What came back from one request: an answer, a refused connection (nobody listens), or a failure that proves nothing. */
export type ServerAnswer =
  | { readonly kind: "answer"; readonly status: number; /** Undefined when it is not JSON. */ readonly body: unknown; readonly text: string }
  | { readonly kind: "refused" }
  | { readonly kind: "failed"; readonly failure: Failure };

/** One server and how to talk to it. */
export interface ServerAddress {
  /** Base URL without a trailing slash and without credentials. */
  readonly url: string;
  readonly timeoutMs: number;
  /** Value of the header, sent to this address only. */
  readonly authorization?: string;
}

const mostBytes = 1024 * 1024;

/** Sends one GET, or a POST where there is something to post, without following redirects. Rejects only with the signal's reason. */
export async function askServer(server: ServerAddress, path: string, signal: AbortSignal, posted?: object): Promise<ServerAnswer> {
  signal.throwIfAborted();
  const request = posted === undefined ? { method: "GET" } : { method: "POST", body: JSON.stringify(posted) };
  const asked = `${request.method} ${path}`;
  const deadline = AbortSignal.timeout(server.timeoutMs);
  const headers = {
    accept: "application/json",
    ...(server.authorization === undefined ? {} : { authorization: server.authorization }),
    ...(posted === undefined ? {} : { "content-type": "application/json" }),
  };
  try {
    const response = await fetch(`${server.url}${path}`, { ...request, headers, redirect: "manual", signal: AbortSignal.any([signal, deadline]) });
    const text = await readCapped(response, asked);
    return { kind: "answer", status: response.status, body: parseJson(text), text };
  } catch (error) {
    signal.throwIfAborted();
    if (deadline.aborted) return failure("timeout", `${asked}: no answer from ${server.url} in ${server.timeoutMs} ms`);
    if (isRefusal(error)) return { kind: "refused" };
    if (error instanceof TypeError) return failure("unreachable", `${asked}: ${server.url} cannot be reached (${causeOf(error)})`);
    return { kind: "failed", failure: toFailure(error) };
  }
}

/** Takes a configured URL apart: drops `/v1` at its end, turns credentials into a header unless there is a key. Throws `invalid-input`. */
export function serverAddress(url: string, timeoutMs: number, apiKey?: string): ServerAddress {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw failed("invalid-input", "the address of a serving backend is not an HTTP URL", { remedy: "write http://host:port" });
  }
  const { protocol, host, pathname, username, password } = new URL(url);
  const base = `${protocol}//${host}${pathname.replace(/\/+$/, "").replace(/\/v1$/, "")}`;
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const authorization = apiKey !== undefined ? `Bearer ${apiKey}` : username === "" ? undefined : `Basic ${basic}`;
  return { url: base, timeoutMs, ...(authorization === undefined ? {} : { authorization }) };
}

function failure(code: "timeout" | "unreachable", message: string): ServerAnswer {
  return { kind: "failed", failure: failed(code, message, { retry: "transient" }).failure };
}

async function readCapped(response: Response, asked: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw failed("protocol", `${asked}: the answer is longer than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A name with several addresses is refused only when every one of them is. */
function isRefusal(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const reasons: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return reasons.every((reason) => codeOf(reason) === "ECONNREFUSED");
}

function causeOf(error: Error): string {
  return codeOf(error.cause) ?? (error.cause instanceof Error ? error.cause.message : error.message);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
