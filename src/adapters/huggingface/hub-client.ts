import { failed, type HoldfastError } from "../../domain/failure.ts";
import { refusalOf, type HubQuestion } from "./hub-errors.ts";
import { decodeRevision, decodeTreePage, parseJson, type HubFile, type HubRevision } from "./hub-decode.ts";
import { openHubFile, type FileQuestion, type HubDownload } from "./hub-file.ts";
import { createHubTransport, discard, isRedirect, readText, type HubConnection, type HubResponse, type HubTransport } from "./hub-transport.ts";
import { redirectTarget } from "./redirect-target.ts";
import { metadataRetry, withRetry, type RetryOptions } from "./retry.ts";

const metadataLimit = 32 * 1024 * 1024;
const mostPages = 500;
const mostHops = 5;

/** The questions that Holdfast asks a hub. */
export interface HubClient {
  revision(repo: string, revision: string, signal: AbortSignal): Promise<HubRevision>;
  /** Every file of a commit, as listed. */
  tree(repo: string, commit: string, signal: AbortSignal): Promise<readonly HubFile[]>;
  /** One attempt; the caller repeats. */
  open(file: FileQuestion, signal: AbortSignal): Promise<HubDownload>;
}

export function createHubClient(connection: HubConnection, retry: RetryOptions = metadataRetry): HubClient {
  const transport = createHubTransport(connection);
  const ask = (url: URL, repo: string, what: string, signal: AbortSignal): Promise<Answer> =>
    withRetry(() => askOnce(transport, url, questionOf(transport, repo, what), signal), retry, signal);

  return {
    async revision(repo, revision, signal) {
      const what = `resolving ${repo} at ${revision}`;
      const { text } = await ask(new URL(`api/models/${repo}/revision/${encodeURIComponent(revision)}`, transport.endpoint), repo, what, signal);
      return decodeRevision(parseJson(text, what), what);
    },
    async tree(repo, commit, signal) {
      const what = `listing ${repo} at ${commit}`;
      const files: HubFile[] = [];
      const seen = new Set<string>();
      let url: URL | undefined = new URL(`api/models/${repo}/tree/${commit}?recursive=true&expand=false`, transport.endpoint);
      while (url !== undefined) {
        if (seen.has(url.href) || seen.size === mostPages) throw failed("protocol", `${what}: the file list does not end`);
        seen.add(url.href);
        const page: Answer = await ask(url, repo, what, signal);
        files.push(...decodeTreePage(parseJson(page.text, what), what));
        url = page.next === undefined ? undefined : sameHost(redirectTarget(url, page.next, transport.endpoint), transport, what);
      }
      return files;
    },
    open: (file, signal) => openHubFile(transport, file, questionOf(transport, file.repo, `fetching ${file.path} of ${file.repo}`), signal),
  };
}

interface Answer {
  readonly text: string;
  /** Address of the next page. */
  readonly next?: string;
}

function questionOf(transport: HubTransport, repo: string, what: string): HubQuestion {
  return { what, page: new URL(repo, transport.endpoint).href, withToken: transport.hasToken() };
}

async function askOnce(transport: HubTransport, first: URL, question: HubQuestion, signal: AbortSignal): Promise<Answer> {
  let url = first;
  for (let hop = 0; hop < mostHops; hop++) {
    const response = await transport.get(url, signal);
    if (response.status === 200) {
      const next = nextPage(response);
      return { text: await readText(response, metadataLimit, signal), ...(next === undefined ? {} : { next }) };
    }
    await discard(response);
    if (!isRedirect(response.status)) throw refusalOf(response, question);
    url = sameHost(redirectTarget(url, response.headers["location"], transport.endpoint), transport, question.what);
  }
  throw failed("protocol", `${question.what}: too many redirects`);
}

function sameHost(url: URL, { endpoint }: HubTransport, what: string): URL {
  if (url.origin === endpoint.origin) return url;
  throw strayed(url, what);
}

function strayed(url: URL, what: string): HoldfastError {
  const remedy = "check HF_ENDPOINT; a login page may have answered";
  return failed("protocol", `${what}: the hub sends metadata requests to another host, ${url.host}`, { remedy });
}

function nextPage(response: HubResponse): string | undefined {
  return /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(response.headers["link"] ?? "")?.[1];
}
