import type { Dispatcher } from "undici";
import { HoldfastError } from "../../domain/failure.ts";
import { createOllamaApi, type OllamaApi } from "./api.ts";
import { isLoopback } from "./base-url.ts";
import { textOf } from "./decode.ts";
import { decodeListing, type ListedModel } from "./listing.ts";
import { nameKey } from "./names.ts";
import { scanStore } from "./store-scan.ts";

export interface DiscoveryOptions {
  readonly url: string;
  /** Where the directory might be when the server does not tell: `OLLAMA_MODELS`, `~/.ollama/models`, the service user's. */
  readonly candidates: readonly string[];
  readonly timeoutMs?: number;
  readonly dispatcher?: Dispatcher;
}

const fromLine = /^FROM\s+"?(.+?)"?[/\\]blobs[/\\]sha256-[0-9a-f]{64}"?\s*$/m;

/**
 * The models directory of a server on this machine, or undefined. The server tells it by the way in `/api/show`; a candidate counts only if its
 * manifests are the ones that the server lists. Never throws but the signal's reason: without the directory the server is still usable.
 */
export async function discoverStoreDirectory(options: DiscoveryOptions, signal: AbortSignal): Promise<string | undefined> {
  try {
    const api = createOllamaApi(options);
    if (!isLoopback(api.server.hostname)) return undefined;
    const { models } = decodeListing(await api.tags(signal));
    const told = await toldBy(api, models, signal);
    for (const directory of told === undefined ? options.candidates : [told, ...options.candidates]) {
      if (await holds(directory, models, signal)) return directory;
    }
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

async function toldBy(api: OllamaApi, models: readonly ListedModel[], signal: AbortSignal): Promise<string | undefined> {
  for (const model of models.filter(({ stub }) => !stub).slice(0, 3)) {
    const show = await api.show(model.ref, signal).catch(() => undefined);
    const directory = fromLine.exec(textOf(show?.["modelfile"]) ?? "")?.[1];
    if (directory !== undefined) return directory;
  }
  return undefined;
}

/** An empty directory is believed to be that of a server without models: nothing can be confused there yet. */
async function holds(directory: string, models: readonly ListedModel[], signal: AbortSignal): Promise<boolean> {
  const scan = await scanStore(directory, signal).catch(() => undefined);
  if (scan === undefined) return false;
  const digests = new Map(scan.manifests.map((manifest) => [nameKey(manifest.ref), manifest.document.digest]));
  if (models.length === 0) return digests.size === 0;
  const matching = models.filter((model) => digests.get(nameKey(model.ref)) === model.digest);
  return matching.length * 2 > models.length;
}
