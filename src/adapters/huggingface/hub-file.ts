import { failed, type HoldfastError } from "../../domain/failure.ts";
import { refusalOf, tooMany, type HubQuestion } from "./hub-errors.ts";
import { discard, isRedirect, type HubResponse, type HubTransport } from "./hub-transport.ts";
import { redirectTarget } from "./redirect-target.ts";

const mostHops = 5;

/** An open answer with the bytes of one file, from hub or CDN, and what the hub said about the file before it sent us there. */
export interface HubDownload {
  readonly response: HubResponse;
  readonly etag?: string;
  /** Whole size in bytes, when told. */
  readonly size?: number;
}

export interface FileQuestion {
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
  /** First byte wanted. */
  readonly offset: number;
}

interface HubFacts {
  readonly commit?: string;
  readonly etag?: string;
  readonly size?: number;
}

/** Opens a file at the hub and follows it to its CDN. The signed address is used once and forgotten: it expires. */
export async function openHubFile(transport: HubTransport, file: FileQuestion, question: HubQuestion, signal: AbortSignal): Promise<HubDownload> {
  const { endpoint } = transport;
  const range = file.offset === 0 ? {} : { range: `bytes=${file.offset}-` };
  let url = new URL(`${file.repo}/resolve/${file.commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`, endpoint);
  let facts: HubFacts = {};
  for (let hop = 0; hop < mostHops; hop++) {
    const response = await transport.get(url, signal, range);
    const atHub = url.origin === endpoint.origin;
    if (atHub) facts = factsOf(response, facts);
    if (isBytes(response.status)) return finish(response, facts, file, question.what);
    await discard(response);
    if (!isRedirect(response.status)) throw atHub ? refusalOf(response, question) : cdnRefusal(response, question.what);
    url = redirectTarget(url, response.headers["location"], endpoint);
  }
  throw failed("protocol", `${question.what}: too many redirects`);
}

/** What the hub's own answers say about a file; the CDN's are about its copy and say nothing. */
function factsOf({ status, headers }: HubResponse, before: HubFacts): HubFacts {
  const etag = headers["x-linked-etag"] ?? (isRedirect(status) ? undefined : headers["etag"]);
  const size = headers["x-linked-size"];
  const commit = headers["x-repo-commit"];
  return {
    ...before,
    ...(commit === undefined ? {} : { commit }),
    ...(etag === undefined ? {} : { etag: etag.replace(/^W\//, "").replaceAll('"', "") }),
    ...(size === undefined || !/^\d{1,15}$/.test(size) ? {} : { size: Number(size) }),
  };
}

function finish(response: HubResponse, { commit, etag, size }: HubFacts, file: FileQuestion, what: string): HubDownload {
  if (commit !== file.commit) {
    response.body.destroy();
    const problem = commit === undefined ? "the answer names no commit" : `the hub answers for commit ${commit.slice(0, 40)}`;
    throw failed("protocol", `${what}: ${problem}`, { remedy: "check HF_ENDPOINT; a proxy or a login page may have answered" });
  }
  return { response, ...(etag === undefined ? {} : { etag }), ...(size === undefined ? {} : { size }) };
}

/** A signed address that is refused has expired, whatever the status: asking the hub again gives a new one. */
function cdnRefusal(response: HubResponse, what: string): HoldfastError {
  if (response.status === 429) return tooMany(response.headers, { what });
  return failed("upstream", `${what}: ${response.url.host} answers ${response.status}`, { retry: "transient" });
}

/** 416 is left to the caller: it means that the part on disk is longer than the file. */
function isBytes(status: number): boolean {
  return status === 200 || status === 206 || status === 416;
}
