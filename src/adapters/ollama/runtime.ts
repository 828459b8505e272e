import type { LoadRequest, UnloadRequest } from "../../domain/action.ts";
import { failed, HoldfastError } from "../../domain/failure.ts";
import { runnerOf } from "../../domain/plan/kept-loaded.ts";
import type { KeepLoaded } from "../../domain/model.ts";
import type { Holding, LoadedModel, Observation, StoreId } from "../../domain/observed.ts";
import { itemAt } from "../../domain/place-index.ts";
import type { ModelRuntime } from "../../ports/model-runtime.ts";
import type { ModelReader, WriteContext } from "../../ports/model-store.ts";
import { createOllamaApi, type OllamaApiOptions } from "./api.ts";
import { retrying, type RetryOptions } from "./retrying.ts";
import { runningUnder } from "./running.ts";
import { unloadStale, type StaleSide } from "./stale-runner.ts";
import { ensureUnloaded } from "./unload.ts";

export interface OllamaRuntimeOptions extends OllamaApiOptions, Pick<StaleSide, "directory" | "facts"> {
  readonly store: StoreId;
  /** A reader of the same server: what it lists after a change is what counts. */
  readonly reader: ModelReader;
  /** Longest wait for a model to be loaded; default 10 min. */
  readonly loadTimeoutMs?: number;
  /** Longest wait for a model to leave memory; default 60 s. */
  readonly unloadTimeoutMs?: number;
  readonly retry?: Omit<RetryOptions, "again">;
}

interface RuntimeSide extends StaleSide {
  readonly store: StoreId;
  readonly reader: ModelReader;
  readonly loadTimeoutMs: number;
  readonly retry: RetryOptions;
}

/** A busy server has a queue of its own, so the waits are short. */
const busyRetry = { attempts: 4, initialDelayMs: 1_000, maxDelayMs: 15_000 };

/** Loads and unloads models of an Ollama server. */
export function createOllamaRuntime(options: OllamaRuntimeOptions): ModelRuntime {
  const side: RuntimeSide = {
    loadTimeoutMs: 600_000,
    unloadTimeoutMs: 60_000,
    ...options,
    api: createOllamaApi(options),
    retry: { ...(options.retry ?? busyRetry), again: (error) => error.failure.code === "rate-limited" },
  };
  return {
    store: options.store,
    load: (request, context) => cancellable(`loading ${request.ref}`, context, () => load(side, request, context)),
    unload: (request, context) => cancellable(`unloading ${request.ref}`, context, () => unload(side, request, context.signal)),
  };
}

async function cancellable<T>(what: string, { signal }: WriteContext, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    if (!signal.aborted || (error instanceof HoldfastError && error.failure.code === "cancelled")) throw error;
    throw failed("cancelled", `${what} was cancelled`, { retry: "transient", cause: error });
  }
}

async function load(side: RuntimeSide, { ref, keep }: LoadRequest, { id, progress, signal }: WriteContext): Promise<LoadedModel> {
  const holding = await side.reader.inspect(ref, "presence", signal);
  if (holding === undefined) throw failed("not-found", `${ref} is not there to be loaded`, { remedy: `pull it first: ollama pull ${ref}` });
  if ("failure" in holding) throw failed(holding.failure.code, `${ref} cannot be loaded: ${holding.failure.message}`);
  if (holding.facts.remoteHost !== undefined)
    throw failed("unsupported", `${ref} is a cloud model that runs on ${holding.facts.remoteHost}: it cannot be loaded here`);
  const before = await look(side, signal);
  await retrying(
    () => ask(side, holding, keep, signal),
    side.retry,
    (error, delayMs) => progress({ type: "note", id, message: `${error.failure.message}; trying again in ${Math.ceil(delayMs / 1000)} s` }),
    signal,
  );
  const after = await look(side, signal);
  const now = itemAt(after.holdings, holding);
  const runner = now === undefined ? undefined : (runnerOf(now, after) ?? (await besideStale(side, now, signal)));
  if (runner === undefined) {
    throw failed("upstream", `${side.api.server.text} said that it loaded ${ref}, but does not list it as loaded`, {
      retry: "transient",
      remedy: "look at the log of the Ollama server: it may have no room for another model",
    });
  }
  for (const gone of evicted(before, after)) progress({ type: "note", id, message: `the server dropped ${gone} from memory meanwhile` });
  return runner;
}

/** The listing tells only of the older content when both run under one name. */
async function besideStale(side: RuntimeSide, { ref, contentId }: Holding, signal: AbortSignal): Promise<LoadedModel | undefined> {
  return (await runningUnder(side.api, ref, signal)).find((loaded) => loaded.digest === contentId);
}

function evicted(before: Seen, after: Seen): readonly string[] {
  const loaded = (seen: Seen): readonly string[] => seen.holdings.flatMap((holding) => (holding.loaded === undefined ? [] : [holding.loaded.ref]));
  const now = new Set(loaded(after));
  return loaded(before).filter((ref) => !now.has(ref));
}

/** Ollama refuses to generate with models that can only embed, and the other way round. */
async function ask(side: RuntimeSide, { ref, facts }: Holding, keep: KeepLoaded, signal: AbortSignal): Promise<void> {
  const call = { keepAlive: keep === "forever" ? -1 : `${keep}ms`, timeoutMs: side.loadTimeoutMs };
  const { embedding, text } = facts.capabilities;
  const onlyEmbeds = embedding?.value === true && text?.value !== true;
  try {
    await side.api.load(ref, { ...call, embedding: onlyEmbeds }, signal);
  } catch (error) {
    if (onlyEmbeds || !isNoGenerator(error)) throw error;
    await side.api.load(ref, { ...call, embedding: true }, signal);
  }
}

/** The status says only that the request was bad; a server that did not say what the model can do leaves no other way. */
function isNoGenerator(error: unknown): boolean {
  return error instanceof HoldfastError && error.failure.code === "protocol" && error.failure.message.includes("does not support generate");
}

async function unload(side: RuntimeSide, { ref, digest }: UnloadRequest, signal: AbortSignal): Promise<void> {
  const running = await runningUnder(side.api, ref, signal);
  const runners = digest === undefined ? running : running.filter((loaded) => loaded.digest === undefined || loaded.digest === digest);
  const [runner] = runners;
  const { holdings } = await look(side, signal);
  const present = itemAt(holdings, { store: side.store, ref });
  if (runner === undefined) return unloadAlias(side, { present, digest }, signal);
  const isPresent = present !== undefined && (runner.digest === undefined || runner.digest === present.contentId);
  if (isPresent) return ensureUnloaded(side, present, signal);
  await unloadStale(side, { ref, runner, present, others: holdings }, signal);
}

/** The content may run under the name of another model that has it, too. */
async function unloadAlias(
  side: RuntimeSide,
  { present, digest }: { readonly present: Holding | undefined; readonly digest: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  if (present === undefined || (digest !== undefined && digest !== present.contentId)) return;
  const runner = runnerOf(present, await look(side, signal));
  if (runner !== undefined) await ensureUnloaded(side, { ...present, ref: runner.ref, ...contentOf(runner) }, signal);
}

function contentOf({ digest }: LoadedModel): Pick<Holding, "contentId"> {
  return digest === undefined ? {} : { contentId: digest };
}

type Seen = Extract<Observation, { state: "observed" }>;

async function look({ reader }: RuntimeSide, signal: AbortSignal): Promise<Seen> {
  const seen = await reader.observe({ level: "presence" }, signal);
  if (seen.state === "observed") return seen;
  throw new HoldfastError(seen.failure);
}
