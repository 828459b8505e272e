import { failed } from "../../domain/failure.ts";

/** Where a server is, with credentials kept apart so that no message shows them. */
export interface BaseUrl {
  /** Without credentials, without a trailing slash. */
  readonly text: string;
  readonly hostname: string;
  readonly authorization?: string;
}

const anyAddress: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" };

/** Understands a base URL; the address on which a server listens everywhere becomes loopback. Throws `invalid-input`. */
export function parseBaseUrl(text: string): BaseUrl {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) {
    throw failed("invalid-input", `the Ollama server URL is not an http or https URL`, { remedy: "write for example http://127.0.0.1:11434" });
  }
  const url = new URL(text);
  const authorization = url.username === "" ? undefined : basicAuthorization(url);
  const hostname = anyAddress[url.hostname] ?? url.hostname;
  const port = url.port === "" ? "" : `:${url.port}`;
  const path = url.pathname.replace(/\/+$/, "");
  return { text: `${url.protocol}//${hostname}${port}${path}`, hostname, ...(authorization === undefined ? {} : { authorization }) };
}

/** True when the server runs on this machine, so that its files may be ours to read. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function basicAuthorization(url: URL): string {
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}
