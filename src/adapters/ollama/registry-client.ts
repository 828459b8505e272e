import type { Dispatcher } from "undici";
import { failed, HoldfastError } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import { transportCode } from "./api-failures.ts";
import { createHttpLine, type HttpAnswer, type HttpLine, type HttpQuestion } from "./http-line.ts";
import { maxManifestBytes, readManifest, type ManifestDocument } from "./manifest-text.ts";
import { registryRefusal } from "./registry-failures.ts";
import { fetchToken } from "./registry-token.ts";

export interface RegistryClientOptions {
  /** True for hosts that are asked over plain HTTP; Ollama itself does that only when told `insecure`. */
  readonly insecure: (host: string) => boolean;
  /** Longest wait for one answer; default 20 s. */
  readonly timeoutMs?: number;
  readonly dispatcher?: Dispatcher;
}

/** Asks registries for metadata. Rejects with HoldfastError or the signal's reason. */
export interface RegistryClient {
  /** The manifest behind a tag, exactly as sent. */
  manifest(name: OllamaName, signal: AbortSignal): Promise<ManifestDocument & { readonly text: string }>;
  hasBlob(name: OllamaName, sha256: string, signal: AbortSignal): Promise<boolean>;
  /** Where a blob is fetched from. */
  blobUrl(name: OllamaName, sha256: string): string;
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";
const defaultTimeout = 20_000;
const maxRedirects = 4;

export function createRegistryClient({ insecure, timeoutMs = defaultTimeout, dispatcher }: RegistryClientOptions): RegistryClient {
  const line = createHttpLine(dispatcher);
  /** One token per repository, good for this host alone. */
  const tokens = new Map<string, string>();
  const repository = ({ host, namespace, model }: OllamaName): string => `${insecure(host) ? "http" : "https"}://${host}/v2/${namespace}/${model}`;

  const ask = async (name: OllamaName, question: Pick<HttpQuestion, "method" | "url" | "headers">, signal: AbortSignal): Promise<HttpAnswer> => {
    const base = repository(name);
    const send = async (): Promise<HttpAnswer> => {
      const token = tokens.get(base);
      const headers = { ...question.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
      return follow(line, { ...question, headers, timeoutMs, maxBytes: maxManifestBytes }, signal);
    };
    try {
      const first = await send();
      if (first.status !== 401) return first;
      tokens.set(base, await fetchToken({ line, challenge: first.headers["www-authenticate"] ?? "", host: name.host, timeoutMs }, signal));
      return await send();
    } catch (error) {
      signal.throwIfAborted();
      throw registryTransportFailure(error, name.host);
    }
  };

  return {
    async manifest(name, signal) {
      const answer = await ask(name, { method: "GET", url: `${repository(name)}/manifests/${name.tag}`, headers: { accept: manifestType } }, signal);
      if (answer.status !== 200) throw registryRefusal(answer, name);
      const document = readManifest(answer.bytes);
      if (document.content.kind === "image" && document.text !== undefined) return { ...document, text: document.text };
      throw notAManifest(document, name);
    },
    async hasBlob(name, sha256, signal) {
      const { status, ...rest } = await ask(name, { method: "HEAD", url: `${repository(name)}/blobs/sha256:${sha256}` }, signal);
      if (status === 404 || status === 410) return false;
      if (status >= 400) throw registryRefusal({ status, ...rest }, name);
      return true;
    },
    blobUrl: (name, sha256) => `${repository(name)}/blobs/sha256:${sha256}`,
  };
}

/** Follows redirects of metadata requests. A blob that is found elsewhere is found. */
async function follow(line: HttpLine, question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  let current = question;
  for (let hop = 0; ; hop++) {
    const answer = await line.ask(current, signal);
    const isRedirect = answer.status >= 300 && answer.status < 400 && answer.headers["location"] !== undefined;
    if (!isRedirect || question.method === "HEAD") return answer;
    if (hop === maxRedirects) throw failed("protocol", `${new URL(question.url).host} redirects without end`);
    current = { ...current, ...redirected(current, answer.headers["location"] ?? "", new URL(question.url)) };
  }
}

/** Where a redirect leads; credentials stay with the first host. */
function redirected(current: HttpQuestion, location: string, first: URL): Pick<HttpQuestion, "url" | "headers"> {
  const next = new URL(location, current.url);
  if (next.protocol !== "https:" && next.origin !== first.origin) {
    throw failed("protocol", `${first.host} redirects to ${next.host} over plain HTTP, which is not followed`);
  }
  const { authorization, ...open } = current.headers ?? {};
  const isSameHost = next.host === first.host && authorization !== undefined;
  return { url: next.href, headers: isSameHost ? { ...open, authorization } : open };
}

function notAManifest(document: ManifestDocument, name: OllamaName): HoldfastError {
  const ref = canonicalOllamaName(name);
  if (document.content.kind === "list") {
    return failed("unsupported", `the registry offers a list of manifests for ${ref}, which neither Ollama nor this version can use`, {
      remedy: "declare a tag that leads to a single model",
    });
  }
  const problem = document.content.kind === "invalid" ? document.content.problem : "it is not UTF-8 text";
  return failed("protocol", `the registry's manifest of ${ref} cannot be used: ${problem}`, {
    remedy: `check that ${name.host} is an Ollama registry and that no proxy or login page answers for it`,
  });
}

function registryTransportFailure(error: unknown, host: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = transportCode(error) ?? (error instanceof Error ? error.message : String(error));
  if (/WRONG_VERSION_NUMBER|EPROTO/.test(code)) {
    return failed("unreachable", `the registry ${host} does not speak HTTPS`, {
      remedy: "set `insecureRegistry: true` on the Backend if it may be asked over plain HTTP",
      cause: error,
    });
  }
  return failed("unreachable", `could not reach the registry ${host} (${code})`, {
    retry: "transient",
    remedy: "check network, DNS and proxy",
    cause: error,
  });
}
