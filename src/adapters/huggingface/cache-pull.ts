import { dirname, join } from "node:path";
import type { HubPull } from "../../domain/action.ts";
import type { Sha256 } from "../../domain/digest.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { cacheTagFile, repoPaths, type RepoPaths } from "./cache-layout.ts";
import { placeOfBlob } from "./cache-locate.ts";
import { publishSnapshot } from "./cache-publish.ts";
import { listCommit } from "./hub-listing.ts";
import { removeLeftovers } from "./leftovers.ts";
import { pullFiles, requireSafe, type PullSettings } from "./pull-files.ts";
import { withRepoLock } from "./repo-lock.ts";
import { partSuffix, type Slot } from "./slot.ts";
import { regularFileAt } from "./survey.ts";
import { wantedFiles, type WantedFile } from "./wanted-file.ts";

export interface CachePull {
  /** Absolute path of the cache. */
  readonly cache: string;
  readonly request: HubPull;
  /** Paths whose bytes are read again, however recently they were proven. */
  readonly distrusted: ReadonlySet<string>;
  readonly context: WriteContext;
}

/** Makes one snapshot of the cache complete and returns the hash of every wanted file by path. Nothing of it is visible before all is proven. */
export async function pullToCache(pull: CachePull, settings: PullSettings): Promise<ReadonlyMap<string, Sha256>> {
  requireSafe(pull.request);
  const paths = repoPaths(pull.request.repo);
  return withRepoLock({ root: pull.cache, folder: paths.lock }, pull.context.signal, () => pullLocked(pull, paths, settings));
}

async function pullLocked(pull: CachePull, paths: RepoPaths, settings: PullSettings): Promise<ReadonlyMap<string, Sha256>> {
  const { cache, request, context } = pull;
  const listing = await listCommit(request, join(cache, paths.tree(request.commit)), settings.client, context.signal);
  const wanted = wantedFiles(request, listing.state === "unknown" ? undefined : listing.files);
  const slots = slotsOf(wanted, paths);
  await tidy(pull, paths, { wanted, slots }, settings);
  const loose = await looseFiles(pull, paths, wanted);
  const blobOf = (slot: Slot): Promise<string | undefined> => readableBlob(cache, slot);
  const proven = await pullFiles(
    {
      request,
      root: cache,
      slots,
      listing,
      context,
      distrusted: firstPaths(wanted, pull.distrusted, slots),
      promote: "at-once",
      locate: async (slot) => (await blobOf(slot)) ?? loose.get(slot.wanted.etag),
    },
    settings,
  );
  for (const slot of slots) {
    const file = loose.get(slot.wanted.etag);
    if (file === undefined || (await blobOf(slot)) !== undefined) continue;
    await settings.disk.promote(file, await settings.disk.contained(cache, slot.final), { mode: slot.mode });
  }
  await publishSnapshot({ cache, paths, request, context, wanted, listing }, settings.disk);
  const byEtag = new Map([...proven].map(([slot, sha256]) => [slot.wanted.etag, sha256]));
  return new Map(wanted.map(({ path, etag }) => [path, byEtag.get(etag) ?? ""]));
}

/** One slot per blob, however many files of the snapshot have the same bytes. */
function slotsOf(wanted: readonly WantedFile[], paths: RepoPaths): readonly Slot[] {
  const first = new Map<string, WantedFile>();
  for (const file of wanted) if (!first.has(file.etag)) first.set(file.etag, file);
  const partFolder = paths.blobs.split("/");
  return [...first.values()].map((file) => {
    const { etag } = file;
    return { wanted: file, final: paths.blob(etag), partFolder, partName: `.${etag}${partSuffix}`, mode: 0o444 };
  });
}

function firstPaths(wanted: readonly WantedFile[], distrusted: ReadonlySet<string>, slots: readonly Slot[]): ReadonlySet<string> {
  const etags = new Set(wanted.filter((file) => distrusted.has(file.path)).map((file) => file.etag));
  return new Set(slots.filter((slot) => etags.has(slot.wanted.etag)).map((slot) => slot.wanted.path));
}

async function readableBlob(cache: string, slot: Slot): Promise<string | undefined> {
  const place = await placeOfBlob(cache, join(cache, slot.final));
  return place.kind === "own" || place.kind === "shared" ? place.path : undefined;
}

/** Regular files in the snapshot itself, by etag: the layout of caches without links. */
async function looseFiles({ cache, request }: CachePull, paths: RepoPaths, wanted: readonly WantedFile[]): Promise<ReadonlyMap<string, string>> {
  const loose = new Map<string, string>();
  for (const { path, etag } of wanted) {
    const file = await regularFileAt(join(cache, paths.snapshotFile(request.commit, path)));
    if (file !== undefined) loose.set(etag, file);
  }
  return loose;
}

/** Looks in every folder that this pull writes to: several links are made at once, so a run that dies can leave one in any of them. */
async function tidy(
  { cache, request, context }: CachePull,
  paths: RepoPaths,
  found: { readonly wanted: readonly WantedFile[]; readonly slots: readonly Slot[] },
  { disk }: PullSettings,
): Promise<void> {
  const links = found.wanted.map(({ path }) => paths.snapshotFile(request.commit, path));
  const refs = request.refs.map((ref) => `${paths.refs}/${ref}`);
  const written = [...links, ...refs, paths.tree(request.commit), cacheTagFile].map((path) => join(cache, dirname(path)));
  const names = new Set(found.slots.map((slot) => slot.partName));
  await removeLeftovers([join(cache, paths.blobs), ...written], { root: cache, folder: paths.blobs.split("/"), names }, disk, context);
}
