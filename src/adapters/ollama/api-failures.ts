import { failed, HoldfastError } from "../../domain/failure.ts";
import { recordOf, textOf } from "./decode.ts";
import type { HttpAnswer } from "./http-line.ts";

export const startAdvice = "ensure Ollama is installed and running: start it with `ollama serve`, install it from https://ollama.com/download";

const cannotConnect = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT"]);
const cutShort = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "UND_ERR_ABORTED"]);

/** What the transport threw, as a failure of talking to a server. `doing` completes "could not ...". */
export function transportFailure(error: unknown, server: string, doing: string): HoldfastError {
  if (error instanceof HoldfastError) return error.failure.code === "timeout" ? noAnswer(error, server, doing) : error;
  const code = transportCode(error);
  if (code !== undefined && cannotConnect.has(code)) {
    return failed("unreachable", `could not reach the Ollama server at ${server} (${code})`, {
      retry: "transient",
      remedy: startAdvice,
      cause: error,
    });
  }
  if (wasCutShort(error)) {
    return failed("unreachable", `could not ${doing}: the Ollama server at ${server} ended the connection (${code})`, {
      retry: "transient",
      remedy: "look at the log of the Ollama server: it may have crashed or been restarted",
      cause: error,
    });
  }
  if (code !== undefined && /CERT|TLS|SSL/.test(code)) {
    return failed("unreachable", `could not reach the Ollama server at ${server}: its certificate is not accepted (${code})`, {
      remedy: "add the certificate authority with NODE_EXTRA_CA_CERTS",
      cause: error,
    });
  }
  return failed("protocol", `could not ${doing}: no usable answer from the Ollama server at ${server} (${code ?? messageOf(error)})`, {
    retry: "transient",
    remedy: `check that ${server} is an Ollama server`,
    cause: error,
  });
}

function noAnswer(error: HoldfastError, server: string, doing: string): HoldfastError {
  return failed("timeout", `could not ${doing}: ${error.message}`, {
    retry: "transient",
    remedy: `Ollama is silent for up to 30 s after a start, while it looks for GPUs; if it stays so, restart the server at ${server}`,
    cause: error,
  });
}

/** A refusal of the server: every status from 400 on. */
export function refusal(answer: HttpAnswer, server: string, doing: string): HoldfastError {
  const { status } = answer;
  const said = errorTextOf(answer);
  const message = `could not ${doing}: the Ollama server at ${server} answered ${status}${said === undefined ? "" : `: ${said}`}`;
  if (status === 403) {
    return failed("unauthorized", message, {
      remedy: "a server on loopback accepts only local Host headers: let the reverse proxy rewrite Host, or use the address the server listens on",
    });
  }
  if (status === 401 || status === 407)
    return failed("unauthorized", message, { remedy: "put the user and password of the proxy into the URL of the Backend" });
  if (status === 404) return failed("not-found", message);
  if (status === 429 || status === 503) return failed("rate-limited", message, { retry: "transient", remedy: "the server is busy: try again later" });
  if (status >= 500) return failed("upstream", message, { retry: "transient", remedy: "look at the log of the Ollama server for details" });
  return failed("protocol", message, { remedy: "look at the log of the Ollama server for details" });
}

/** The server's own words: `{"error": ...}`, or a short plain text; HTML pages say nothing. */
export function errorTextOf(answer: HttpAnswer): string | undefined {
  const text = answer.bytes.toString("utf8").trim();
  const said = textOf(recordOf(parsed(text))["error"]);
  if (said !== undefined) return said.slice(0, 500);
  return text === "" || text.startsWith("<") || text.startsWith("{") ? undefined : text.slice(0, 200);
}

/** True when the connection ended under the request, as it does when the server restarts. */
export function wasCutShort(error: unknown): boolean {
  return cutShort.has(transportCode(error) ?? "");
}

/** The system's or undici's name of a transport error, also from inside the error it was wrapped in. */
export function transportCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string" && error.code !== "") return error.code;
  if (error instanceof AggregateError && error.errors.length > 0) return transportCode(error.errors[0]);
  return transportCode(error.cause);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
