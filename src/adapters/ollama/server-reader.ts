import type { Dispatcher } from "undici";
import { compareText } from "../../domain/diagnostic.ts";
import { failed, HoldfastError, toFailure } from "../../domain/failure.ts";
import type { Holding, Observation, StoreId, UnreadableHolding, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ModelHeaders } from "../../ports/model-headers.ts";
import type { ModelReader, ObserveRequest } from "../../ports/model-store.ts";
import { createOllamaApi, type OllamaApi } from "./api.ts";
import { isShown } from "./helper-names.ts";
import { mergeFacts, noFacts } from "./model-facts.ts";
import { nameKey } from "./names.ts";
import { notableRunner } from "./running.ts";
import { findBlobs, manifestKind, recallManifests, remoteHolding } from "./remote-holdings.ts";
import { joinStore, type JoinedStore } from "./server-join.ts";
import { readServerListing, type ServerListing } from "./server-listing.ts";
import { learnShowFacts, type FactMemory } from "./show-facts.ts";
import { createOllamaStoreReader } from "./store-reader.ts";

export interface OllamaServerOptions {
  readonly store: StoreId;
  readonly url: string;
  /** The server's models directory, when this process can read it; it is used only while it proves to be this server's. */
  readonly directory?: string;
  readonly hasher: FileHasher;
  /** For models about which the server itself cannot say enough; usually undefined. */
  readonly headers?: ModelHeaders;
  /** Keeps what `/api/show` said and manifest texts; a lost entry costs a request. */
  readonly facts: FactMemory;
  /** Longest wait for one answer; default 40 s. */
  readonly timeoutMs?: number;
  readonly dispatcher?: Dispatcher;
}

/**
 * Reads an Ollama server, and its files where they can be read. When nothing changed, an observation costs three requests whatever the number of
 * models. Over HTTP alone only level `full` (and `inspect`) asks for blobs, by HEAD, and only for manifests that are remembered.
 */
export function createOllamaServerReader(options: OllamaServerOptions): ModelReader {
  const { store, directory, hasher, headers, facts } = options;
  const api = createOllamaApi(options);
  const disk = directory === undefined ? undefined : createOllamaStoreReader({ store, directory, hasher, headers });

  const listingFor = (refs: readonly string[] | undefined, signal: AbortSignal) => async (): Promise<ServerListing> =>
    shownOf(await readServerListing(api, directory, signal), refs);

  const look = (request: ObserveRequest, signal: AbortSignal): ReturnType<typeof joinStore> =>
    joinStore({ disk, request, list: listingFor(request.refs, signal) }, signal);

  const read = async (request: ObserveRequest, signal: AbortSignal): Promise<Observation> => {
    const { listing, joined } = await look(request, signal);
    const [holdings, shown] = await Promise.all([
      holdingsOf({ api, store, facts }, { listing, joined }, request, signal),
      learnShowFacts(api, { models: listing.models.values(), version: listing.version }, facts, signal),
    ]);
    await rememberRunning(facts, { holdings, listing });
    const complete = listing.oddities.length === 0 && !joined.contradiction;
    const warnings = [...listing.warnings, ...listing.oddities, ...joined.warnings, ...shown.warnings].toSorted(compareText);
    return {
      state: "observed",
      store,
      complete,
      holdings: holdings.map((holding) => withServerFacts(holding, listing, shown.byDigest)).toSorted((a, b) => compareText(a.ref, b.ref)),
      unreadable: joined.unreadable,
      runtimeSeen: true,
      warnings,
      ...(joined.freeBytes === undefined ? {} : { freeBytes: joined.freeBytes }),
      ...(listing.version === undefined ? {} : { version: listing.version }),
    };
  };

  const observe = async (request: ObserveRequest, signal: AbortSignal): Promise<Observation> => {
    signal.throwIfAborted();
    try {
      return await read(request, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      return { state: "unknown", store, failure: toFailure(error) };
    }
  };

  const inspect = async (ref: string, level: VerificationLevel, signal: AbortSignal): Promise<Holding | UnreadableHolding | undefined> => {
    signal.throwIfAborted();
    const agreed = await inspectAgreed({ api, facts, disk, list: listingFor([ref], signal) }, ref, level, signal);
    if (agreed !== undefined) return agreed;
    const { listing, joined } = await look({ level, refs: [ref] }, signal);
    const narrowed = narrowedTo(nameKey(ref), { listing, joined });
    const [found] = await holdingsOf({ api, store, facts }, narrowed, { level: "full" }, signal);
    if (found === undefined) return absent(ref, listing, joined);
    const shown = await learnShowFacts(api, { models: narrowed.listing.models.values(), version: listing.version }, facts, signal);
    return withServerFacts(found, listing, shown.byDigest);
  };

  return { store, observe, inspect };
}

type Look = Awaited<ReturnType<typeof joinStore>>;

/** What was seen of one name. */
function narrowedTo(key: string, { listing, joined }: Look): Look {
  const [onDisk, listed] = [joined.holdings.get(key), listing.models.get(key)];
  return {
    listing: { ...listing, models: new Map(listed ? [[key, listed]] : []) },
    joined: { ...joined, holdings: new Map(onDisk ? [[key, onDisk]] : []) },
  };
}

/** The listing without the helper names of pinned pulls, unless one was asked for. */
function shownOf(listing: ServerListing, asked: readonly string[] | undefined): ServerListing {
  return { ...listing, models: new Map([...listing.models].filter(([, { ref }]) => isShown(ref, asked))) };
}

interface AgreedSide {
  readonly api: OllamaApi;
  readonly facts: FactMemory;
  readonly disk: ModelReader | undefined;
  readonly list: () => Promise<ServerListing>;
}

/** One model on disk and the listing, when both say the same: no need to read the files of all others. */
async function inspectAgreed(
  { api, facts, disk, list }: AgreedSide,
  ref: string,
  level: VerificationLevel,
  signal: AbortSignal,
): Promise<Holding | undefined> {
  if (disk === undefined) return undefined;
  const [listing, found] = await Promise.all([list(), disk.inspect(ref, level, signal).catch(() => undefined)]);
  const listed = listing.models.get(nameKey(ref));
  if (found === undefined || "failure" in found || listed === undefined || listed.digest !== found.contentId) return undefined;
  const shown = await learnShowFacts(api, { models: [listed], version: listing.version }, facts, signal);
  return withServerFacts(found, listing, shown.byDigest);
}

/** The manifest of what runs tells how to reach its runner when the name has other content one day. */
async function rememberRunning(
  facts: FactMemory,
  { holdings, listing }: { readonly holdings: readonly Holding[]; readonly listing: ServerListing },
): Promise<void> {
  const running = holdings.flatMap(({ ref, contentId, manifest }) => {
    const isRunning = listing.loaded.get(nameKey(ref))?.some((loaded) => loaded.digest === contentId) === true;
    return isRunning && contentId !== undefined && manifest !== undefined ? [[contentId, manifest] as const] : [];
  });
  if (running.length === 0) return;
  const known = await facts.remembered(
    manifestKind,
    running.map(([digest]) => digest),
  );
  const fresh = running.filter(([digest]) => !known.has(digest));
  if (fresh.length > 0) await facts.remember(manifestKind, new Map(fresh));
}

function absent(ref: string, listing: ServerListing, joined: JoinedStore): UnreadableHolding | undefined {
  const unreadable = joined.unreadable.find((item) => nameKey(item.ref) === nameKey(ref));
  if (unreadable === undefined && (joined.contradiction || listing.oddities.length > 0)) {
    const why = [...joined.warnings, ...listing.oddities][0] ?? "the listing is not complete";
    throw failed("protocol", `whether ${ref} is there cannot be told: ${why}`, { retry: "transient" });
  }
  return unreadable;
}

interface RemoteSide {
  readonly api: OllamaApi;
  readonly store: StoreId;
  readonly facts: FactMemory;
}

/** Holdings from disk where it is the server's, the rest as far as the server lets us see. */
async function holdingsOf(side: RemoteSide, { listing, joined }: Look, request: ObserveRequest, signal: AbortSignal): Promise<readonly Holding[]> {
  const remote = [...listing.models].flatMap(([key, model]) => (joined.holdings.has(key) ? [] : [model]));
  const known = await recallManifests(
    remote.map((model) => model.digest),
    side.facts,
  );
  const asked = request.refs && new Set(request.refs.map(nameKey));
  const closely = request.level === "full" ? remote.filter((model) => asked === undefined || asked.has(nameKey(model.ref))) : [];
  const blobs = await findBlobs(
    side.api,
    closely.flatMap((model) => known.get(model.digest) ?? []),
    signal,
  );
  return [...joined.holdings.values(), ...remote.map((model) => remoteHolding(side.store, model, known.get(model.digest), blobs))];
}

function withServerFacts(holding: Holding, listing: ServerListing, shown: ReadonlyMap<string, Holding["facts"]>): Holding {
  const key = nameKey(holding.ref);
  const listed = listing.models.get(key);
  const loaded = notableRunner(holding.contentId, listing.loaded.get(key));
  const facts = mergeFacts(holding.facts, listed?.facts ?? noFacts, shown.get(holding.contentId ?? "") ?? noFacts);
  return { ...holding, facts, ...(loaded === undefined ? {} : { loaded }) };
}
