import { checkedUrl } from "../base-url.ts";
import { unusable, type Found, type Layers, type Origin } from "./layers.ts";

/** The address of the Ollama server and why it is this one. */
export interface OllamaAddress {
  readonly url: string;
  /** For people, for example `OLLAMA_HOST`. */
  readonly reason: string;
}

const variables = ["HOLDFAST_OLLAMA_URL", "OLLAMA_HOST", "OLLAMA_BASE_URL", "NAMEL3SS_OLLAMA_BASE_URL"] as const;

/**
 * The one function that decides where the Ollama server is: what was written as ollama.url, then the environment, then host and port, then the
 * default (requirements S4.2 to S4.5, K23). A value that is no address is a diagnostic and the next one is taken.
 */
export function resolveOllamaAddress(layers: Layers, env: Readonly<Record<string, string | undefined>>): OllamaAddress {
  for (const candidate of candidates(layers, env)) {
    const parsed = candidate.place === "OLLAMA_HOST" ? parseOllamaHost(String(candidate.value)) : parseBaseUrl(String(candidate.value));
    if ("problem" in parsed) {
      layers.diagnostics.push(unusable("ollama.url", candidate, parsed.problem, "write it like http://localhost:11434"));
      continue;
    }
    if (parsed.warning !== undefined)
      layers.diagnostics.push({ severity: "warning", code: "settings.value", message: `${candidate.place}: ${parsed.warning}` });
    return settled(layers, parsed.url, candidate.from, candidate.place);
  }
  const host = layers.find("ollama.host");
  const port = layers.find("ollama.port");
  const given = host ?? port;
  if (given === undefined) return settled(layers, "http://localhost:11434", "default", "default");
  const parsed = parseOllamaHost(`http://${bracketed(String(host?.value ?? "127.0.0.1"))}:${port?.value ?? 11434}`);
  if ("url" in parsed) return settled(layers, parsed.url, given.from, `ollama.host and ollama.port, ${given.place}`);
  layers.diagnostics.push(unusable("ollama.host", given, parsed.problem, undefined));
  return settled(layers, "http://localhost:11434", "default", "default");
}

function settled(layers: Layers, url: string, from: Origin, reason: string): OllamaAddress {
  layers.record("ollama.url", url, from, from === "default" ? "" : reason);
  return { url, reason };
}

/** What was written as ollama.url beats the environment here, as in the configuration this tool takes over (S4.2). */
function candidates(layers: Layers, env: Readonly<Record<string, string | undefined>>): readonly Found[] {
  const written = layers.findWritten("ollama.url");
  const fromEnv = variables.flatMap((place): readonly Found[] => {
    const value = env[place]?.trim() ?? "";
    return value === "" ? [] : [{ value, from: "environment", place }];
  });
  return written === undefined ? fromEnv : [written, ...fromEnv];
}

type Address = { readonly url: string; readonly warning?: string } | { readonly problem: string };

/** An OLLAMA_HOST value as the server itself reads it, turned into an address that can be connected to. Source: ollama envconfig/config.go. */
export function parseOllamaHost(text: string): Address {
  const value = text.trim().replace(/^["']+|["']+$/g, "");
  if (value === "ollama.com") return { url: "https://ollama.com" };
  const cut = value.indexOf("://");
  const scheme = cut < 0 ? "http" : value.slice(0, cut).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return { problem: `has the scheme ${scheme}; only http and https can be spoken` };
  const [authority = "", ...rest] = (cut < 0 ? value : value.slice(cut + 3)).split("/");
  if (authority.includes("@")) return { problem: "holds credentials" };
  const standard = cut < 0 ? 11434 : scheme === "http" ? 80 : 443;
  const { host, port } = splitAuthority(authority);
  const number = port === undefined ? standard : portNumber(port);
  const url = checkedUrl(`${scheme}://${bracketed(connectable(host))}:${number ?? standard}/${rest.join("/")}`);
  if ("problem" in url) return url;
  return number === undefined ? { url: url.url, warning: `the port ${JSON.stringify(port)} is not a port, ${standard} is used` } : url;
}

/** A base URL from a variable; without a scheme it is read like OLLAMA_HOST. */
function parseBaseUrl(text: string): Address {
  if (!text.includes("://")) return parseOllamaHost(text);
  const checked = checkedUrl(text);
  if ("problem" in checked) return checked;
  const url = new URL(checked.url);
  url.hostname = bracketed(connectable(url.hostname.replace(/^\[|\]$/g, "")));
  return checkedUrl(url.href);
}

function splitAuthority(authority: string): { readonly host: string; readonly port?: string } {
  const match = /^(\[[^\]]*\]|[^:[\]]*):(.*)$/.exec(authority);
  if (match !== null && !match[2]?.includes(":")) return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port: match[2] ?? "" };
  return { host: authority.replace(/^\[|\]$/g, "") };
}

function portNumber(text: string): number | undefined {
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}

/** A server listens on 0.0.0.0 or ::, but nobody can connect there. */
function connectable(host: string): string {
  if (host === "" || host === "0.0.0.0") return "127.0.0.1";
  return /^(0*:)+0*$/.test(host) ? "::1" : host;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
