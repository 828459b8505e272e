import type { Dispatcher } from "undici";
import { failed } from "../../domain/failure.ts";
import { networkFailure } from "./hub-errors.ts";
import type { ResponseHeaders } from "./rate-limit.ts";

export interface HubTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** Longest silence within a body. */
  readonly bodyMs: number;
}

export const defaultTimeouts: HubTimeouts = { connectMs: 10_000, headersMs: 30_000, bodyMs: 30_000 };

export interface HubConnection {
  readonly endpoint: string;
  /** Asked before every request, so that a new token is used at once. */
  readonly token?: () => string | undefined;
  readonly userAgent?: string;
  readonly timeouts?: Partial<HubTimeouts>;
  /** Open connections per host. */
  readonly connections?: number;
}

export interface HubResponse {
  readonly url: URL;
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Dispatcher.ResponseData["body"];
}

/** One GET after the other over kept connections; redirects come back as they are. */
export interface HubTransport {
  readonly endpoint: URL;
  hasToken(): boolean;
  get(url: URL, signal: AbortSignal, headers?: ResponseHeaders): Promise<HubResponse>;
}

export function createHubTransport(connection: HubConnection): HubTransport {
  const endpoint = parseEndpoint(connection.endpoint);
  const timeouts = { ...defaultTimeouts, ...connection.timeouts };
  const token = (): string | undefined => connection.token?.()?.trim() || undefined;
  let opening: Promise<Dispatcher> | undefined;

  return {
    endpoint,
    hasToken: () => token() !== undefined,
    async get(url, signal, headers) {
      signal.throwIfAborted();
      const bearer = url.origin === endpoint.origin ? requireClean(token()) : undefined;
      try {
        const dispatcher = await (opening ??= openDispatcher(timeouts, connection.connections ?? 12));
        const response = await dispatcher.request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: "GET",
          signal,
          highWaterMark: 256 * 1024,
          headers: {
            "user-agent": connection.userAgent ?? "holdfast",
            "accept-encoding": "identity",
            ...headers,
            ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          },
        });
        // Whoever reads the body gets the error; a body that nobody reads must not bring the process down.
        response.body.on("error", () => {});
        return { url, status: response.statusCode, headers: flatten(response.headers), body: response.body };
      } catch (error) {
        signal.throwIfAborted();
        throw networkFailure(error, `asking ${url.host}`);
      }
    },
  };
}

/** A token with anything but visible ASCII would break the request in ways that point elsewhere. */
function requireClean(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw failed("unauthorized", "the token of the hub has characters that no token has", { remedy: "correct HF_TOKEN or the token file" });
}

/** The address of a hub, which may lie below a path. */
export function parseEndpoint(text: string): URL {
  const url = URL.parse(`${text.replace(/\/+$/, "")}/`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw failed("invalid-input", "the address of the hub is not an http address without credentials", { remedy: "correct HF_ENDPOINT" });
  }
  return url;
}

async function openDispatcher(timeouts: HubTimeouts, connections: number): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await import("undici");
  const options = {
    connections,
    // One window for all streams would cap a download far below what parallel connections carry.
    allowH2: false,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyMs,
    connect: { timeout: timeouts.connectMs },
  };
  return usesProxy() ? new EnvHttpProxyAgent(options) : new Agent(options);
}

function usesProxy(): boolean {
  return ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].some((name) => (process.env[name] ?? "") !== "");
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): ResponseHeaders {
  const told = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(told.map(([name, value]) => [name, [value ?? ""].flat().join(", ")]));
}

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/** Reads a text body up to a limit; a longer one ends the connection. */
export async function readText(response: HubResponse, limit: number, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body) {
      if (!Buffer.isBuffer(chunk)) continue;
      length += chunk.length;
      if (length > limit) throw failed("protocol", `${response.url.host} sends more than ${limit} bytes of metadata`);
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw networkFailure(error, `reading from ${response.url.host}`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Lets a small body pass so that the connection can be used again; a long or stalled one is cut. */
export async function discard(response: HubResponse): Promise<void> {
  const giveUp = AbortSignal.timeout(2000);
  await response.body.dump({ limit: 64 * 1024, signal: giveUp }).catch(() => {});
}
