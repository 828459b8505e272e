import { failed, HoldfastError } from "../../domain/failure.ts";
import { AskedWait } from "./retry.ts";
import { rateLimitWait, type ResponseHeaders } from "./rate-limit.ts";

/** What was asked, in words for people, and whether a token went with it. */
export interface HubQuestion {
  readonly what: string;
  readonly page: string;
  readonly withToken: boolean;
}

interface HubAnswer {
  readonly status: number;
  readonly headers: ResponseHeaders;
}

const transientStatus: ReadonlySet<number> = new Set([408, 500, 502, 503, 504]);
const loginRemedy = "set HF_TOKEN to a token that may read it, then run again";

/** Meaning of a refusal: the error code of the Hub decides before the status does (401 stands for missing, private and wrong token alike). */
export function refusalOf(answer: HubAnswer, question: HubQuestion): HoldfastError {
  const { status, headers } = answer;
  const message = headers["x-error-message"];
  const meaning = errorCodes.get(headers["x-error-code"] ?? "");
  if (meaning !== undefined) return meaning(question);
  if (message === "Access to this resource is disabled.") return failed("not-found", `${question.what}: the hub has disabled access to it`);
  if (status === 401 && message === "Invalid credentials in Authorization header") return wrongToken(question);
  if (status === 401) return missingRepo(question);
  return refusalByStatus(answer, question);
}

const errorCodes: ReadonlyMap<string, (question: HubQuestion) => HoldfastError> = new Map([
  ["RevisionNotFound", missingRevision],
  ["EntryNotFound", missingEntry],
  ["GatedRepo", gated],
  ["RepoNotFound", missingRepo],
]);

function missingRevision({ what }: HubQuestion): HoldfastError {
  return failed("not-found", `${what}: the repository exists, this revision does not`, { remedy: "check `revision` in the manifest" });
}

function missingEntry({ what }: HubQuestion): HoldfastError {
  return failed("not-found", `${what}: the file does not exist at this commit`);
}

function refusalByStatus({ status, headers }: HubAnswer, question: HubQuestion): HoldfastError {
  if (status === 403) {
    const message = `${question.what}: the hub refuses access (403)${detailOf(headers)}`;
    return failed("unauthorized", message, { remedy: "give the token the permission to read this repository" });
  }
  if (status === 404 || status === 410) return failed("not-found", `${question.what}: the hub answers ${status}`);
  if (status === 429) return tooMany(headers, question);
  const message = `${question.what}: the hub answers ${status}${detailOf(headers)}`;
  return transientStatus.has(status) ? failed("upstream", message, { retry: "transient" }) : failed("protocol", message);
}

function gated(question: HubQuestion): HoldfastError {
  const next = question.withToken ? "with the account of the token" : "and set HF_TOKEN";
  return failed("gated", `${question.what}: the repository is gated`, { remedy: `accept the terms at ${question.page} ${next}` });
}

function missingRepo(question: HubQuestion): HoldfastError {
  const who = question.withToken ? "the token may not see it" : "it is private";
  const remedy = `check the name; if it is private, ${loginRemedy}`;
  return failed("not-found", `${question.what}: the repository does not exist, or ${who}`, { remedy });
}

function wrongToken(question: HubQuestion): HoldfastError {
  return failed("unauthorized", `${question.what}: the hub does not accept the token`, { remedy: loginRemedy });
}

/** 429 from hub or CDN; the wait it asks for travels as the cause. */
export function tooMany(headers: ResponseHeaders, question: Pick<HubQuestion, "what">): HoldfastError {
  const waitMs = rateLimitWait(headers);
  const wait = waitMs === undefined ? "" : `, it asks to wait ${Math.ceil(waitMs / 1000)} s`;
  return failed("rate-limited", `${question.what}: too many requests${wait}`, {
    retry: "transient",
    ...(waitMs === undefined ? {} : { cause: new AskedWait(waitMs) }),
  });
}

function detailOf(headers: ResponseHeaders): string {
  const message = headers["x-error-message"];
  const id = headers["x-request-id"];
  return `${message === undefined ? "" : `: ${message.slice(0, 300)}`}${id === undefined ? "" : ` (request ${id.slice(0, 80)})`}`;
}

const timeouts: ReadonlySet<string> = new Set(["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "ETIMEDOUT"]);
const unreachable = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EPIPE|EHOSTUNREACH|ENETUNREACH|ENETDOWN|UND_ERR_SOCKET|UND_ERR_RES_.*)$/;

/** Meaning of an exception of the HTTP client. */
export function networkFailure(error: unknown, what: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = errorCode(error);
  if (timeouts.has(code)) return failed("timeout", `${what}: no answer in time`, { retry: "transient", cause: error });
  if (unreachable.test(code)) {
    return failed("unreachable", `${what}: ${code}`, { retry: "transient", cause: error, remedy: "check the network, HF_ENDPOINT and proxies" });
  }
  if (/CERT|TLS|SSL|SELF_SIGNED/.test(code)) {
    const remedy = "set NODE_EXTRA_CA_CERTS to the authority of your network";
    return failed("unreachable", `${what}: the certificate is not accepted (${code})`, { cause: error, remedy });
  }
  return failed("protocol", `${what}: ${code === "" ? String(error) : code}`, { retry: "transient", cause: error });
}

function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return error.cause instanceof Error ? errorCode(error.cause) : "";
}
