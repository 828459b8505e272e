import type { Holding, Observation, UnreadableHolding } from "../../domain/observed.ts";
import type { ModelReader, ObserveRequest } from "../../ports/model-store.ts";
import type { ListedModel } from "./listing.ts";
import { nameKey } from "./names.ts";
import type { ServerListing } from "./server-listing.ts";

type Observed = Extract<Observation, { state: "observed" }>;

/** What the files of a server add to its listing. */
export interface JoinedStore {
  /** Holdings read from disk that are the server's, by name key. */
  readonly holdings: ReadonlyMap<string, Holding>;
  readonly unreadable: readonly UnreadableHolding[];
  readonly warnings: readonly string[];
  /** True when server and files contradict each other so that absence proves nothing. */
  readonly contradiction: boolean;
  readonly freeBytes?: number;
}

export interface JoinQuestion {
  readonly disk: ModelReader | undefined;
  readonly list: () => Promise<ServerListing>;
  readonly request: ObserveRequest;
}

const nothing: JoinedStore = { holdings: new Map(), unreadable: [], warnings: [], contradiction: false };

/**
 * Reads the listing and the files at the same time and puts them together. Something may change between the two, so a difference is looked at once
 * more. Files whose manifests are not those of the listing belong to another server and are left aside.
 */
export async function joinStore(
  question: JoinQuestion,
  signal: AbortSignal,
): Promise<{ readonly listing: ServerListing; readonly joined: JoinedStore }> {
  const { disk, list, request } = question;
  const [listing, files] = await Promise.all([list(), disk?.observe(request, signal)]);
  if (files === undefined) return { listing, joined: nothing };
  if (files.state === "unknown")
    return { listing, joined: { ...nothing, warnings: [`only the server was asked, its files cannot be read: ${files.failure.message}`] } };
  if (unmatched(listing, byKeyOf(files)).length === 0) return { listing, joined: combine(listing, files) };
  const [again, filesAgain] = await Promise.all([
    list(),
    disk?.observe({ ...request, level: request.level === "full" ? "stat" : request.level }, signal),
  ]);
  return { listing: again, joined: combine(again, filesAgain?.state === "observed" ? preferFirst(files, filesAgain) : files) };
}

function combine(listing: ServerListing, files: Observed): JoinedStore {
  const byKey = byKeyOf(files);
  const strangers = unmatched(listing, byKey);
  const free = files.freeBytes === undefined ? {} : { freeBytes: files.freeBytes };
  const { size } = listing.models;
  if (size === 0 && byKey.size > 0) {
    const warning = `the server lists no model while its directory holds ${byKey.size}: it was just started, or \`spec.store\` is not its directory`;
    return { ...nothing, warnings: [warning], contradiction: true };
  }
  if (strangers.length * 2 > size) {
    return {
      ...nothing,
      warnings: [
        `the directory in \`spec.store\` is not this server's: ${strangers.length} of its ${size} models are not there; the files are left aside`,
      ],
    };
  }
  const foreign = new Set(strangers.map((model) => nameKey(model.ref)));
  return {
    holdings: new Map([...byKey].filter(([key]) => !foreign.has(key))),
    unreadable: files.unreadable,
    warnings: [...files.warnings, ...strangers.map((model) => `the manifest of ${model.ref} on disk is not the one that the server lists`)],
    contradiction: false,
    ...free,
  };
}

/** Listed models whose manifest is not on disk, or is another one there. */
function unmatched(listing: ServerListing, byKey: ReadonlyMap<string, Holding>): readonly ListedModel[] {
  return [...listing.models].flatMap(([key, model]) => (byKey.get(key)?.contentId === model.digest ? [] : [model]));
}

/** The second look is not repeated at level `full`; what did not change keeps what the first look proved. */
function preferFirst(first: Observed, second: Observed): Observed {
  const proven = new Map(first.holdings.map((holding) => [`${holding.ref} ${holding.contentId}`, holding]));
  return { ...second, holdings: second.holdings.map((holding) => proven.get(`${holding.ref} ${holding.contentId}`) ?? holding) };
}

function byKeyOf(files: Observed): ReadonlyMap<string, Holding> {
  return new Map(files.holdings.map((holding) => [nameKey(holding.ref), holding]));
}
