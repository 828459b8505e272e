import { randomBytes } from "node:crypto";
import { failed, type HoldfastError } from "../../domain/failure.ts";
import { recordOf, textOf } from "./decode.ts";
import type { HttpLine } from "./http-line.ts";

interface TokenQuestion {
  readonly line: HttpLine;
  /** The `WWW-Authenticate` header. */
  readonly challenge: string;
  /** Host, with port, of the registry that asked for a token. */
  readonly host: string;
  readonly timeoutMs: number;
}

const maxTokenBytes = 64 * 1024;

/** Asks for an anonymous token. Only the registry's own host is asked, as Ollama does since CVE-2025-51471. */
export async function fetchToken({ line, challenge, host, timeoutMs }: TokenQuestion, signal: AbortSignal): Promise<string> {
  const parameters = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]));
  const realm = parameters.get("realm");
  if (!/^bearer\s/i.test(challenge) || realm === undefined || !URL.canParse(realm)) throw denied(host, "asks for a login that Ollama does not know");
  const url = new URL(realm);
  if (url.host !== host) throw denied(host, `sends for its token to another host, ${url.host}, which is not followed`);
  const service = parameters.get("service");
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of (parameters.get("scope") ?? "").split(" ").filter((part) => part !== "")) url.searchParams.append("scope", scope);
  url.searchParams.set("ts", String(Math.floor(Date.now() / 1000)));
  url.searchParams.set("nonce", randomBytes(16).toString("base64url"));
  const answer = await line.ask({ method: "GET", url: url.href, timeoutMs, maxBytes: maxTokenBytes }, signal);
  const token = answer.status === 200 ? tokenIn(answer.bytes.toString("utf8")) : undefined;
  if (token === undefined) throw denied(host, `gives no token to strangers (${answer.status})`);
  return token;
}

function tokenIn(text: string): string | undefined {
  try {
    const token = textOf(recordOf(JSON.parse(text))["token"]);
    return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

function denied(host: string, why: string): HoldfastError {
  return failed("unauthorized", `the registry ${host} ${why}`, {
    remedy: "Holdfast asks registries without credentials; the Ollama server itself may still be able to pull with its own key",
  });
}
