import { setTimeout as sleep } from "node:timers/promises";
import { failed, HoldfastError, toFailure } from "../../domain/failure.ts";
import type { LoadedModel } from "../../domain/observed.ts";
import type { OllamaApi } from "./api.ts";
import type { Unknowns } from "./decode.ts";
import { decodeListing, decodeRunning, type ListedModel } from "./listing.ts";
import { nameKey } from "./names.ts";
import { scanStore } from "./store-scan.ts";

/** What one server says it has, at one moment. */
export interface ServerListing {
  /** By name key, as is `loaded`. */
  readonly models: ReadonlyMap<string, ListedModel>;
  readonly loaded: ReadonlyMap<string, readonly LoadedModel[]>;
  readonly version?: string;
  /** Lines that could not be understood; with any of them absence proves nothing. */
  readonly oddities: readonly string[];
  readonly warnings: readonly string[];
}

const secondTry = 100;

/** Three requests, whatever the number of models. Without the list of loaded models nothing is known: it guards deletion. */
export async function readServerListing(api: OllamaApi, directory: string | undefined, signal: AbortSignal): Promise<ServerListing> {
  const warnings: string[] = [];
  const versionOrNot = api.version(signal).catch((error: unknown) => {
    signal.throwIfAborted();
    warnings.push(toFailure(error).message);
    return undefined;
  });
  const [tags, running, version] = await Promise.all([readTags(api, directory, signal), api.running(signal), versionOrNot]);
  const { models, warnings: oddities } = decodeListing(tags);
  return {
    models: new Map(models.map((model) => [nameKey(model.ref), model])),
    loaded: decodeRunning(running),
    oddities,
    warnings,
    ...(version === undefined ? {} : { version }),
  };
}

/** A model that is deleted while the server lists makes it answer 500; asked again it is well. A dangling link keeps it ill. */
async function readTags(api: OllamaApi, directory: string | undefined, signal: AbortSignal): Promise<readonly Unknowns[]> {
  try {
    return await api.tags(signal);
  } catch (error) {
    if (!isServerError(error)) throw error;
  }
  await sleep(secondTry, undefined, { signal });
  try {
    return await api.tags(signal);
  } catch (error) {
    throw isServerError(error) ? await explained(error, directory, signal) : error;
  }
}

function isServerError(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.failure.code === "upstream";
}

async function explained(error: HoldfastError, directory: string | undefined, signal: AbortSignal): Promise<HoldfastError> {
  const general = "look in the models directory for a dangling symbolic link below `manifests`: one of them makes every listing fail";
  const scan = directory === undefined ? undefined : await scanStore(directory, signal).catch(() => undefined);
  const culprit = scan?.unreadable.find(({ failure }) => failure.code === "not-found");
  return failed("upstream", error.failure.message, { retry: "transient", remedy: culprit?.failure.remedy ?? general, cause: error });
}
