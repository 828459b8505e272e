import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HubPull } from "../../domain/action.ts";
import type { Disk } from "../../ports/disk.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { cacheTag, cacheTagFile, linkTarget, type RepoPaths } from "./cache-layout.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import type { Listing } from "./hub-listing.ts";
import { forEachParallel } from "./parallel.ts";
import { keepAside } from "./pull-files.ts";
import { regularFileAt } from "./survey.ts";
import { encodeTreeFile } from "./tree-file.ts";
import type { WantedFile } from "./wanted-file.ts";

export interface Publication {
  readonly cache: string;
  readonly paths: RepoPaths;
  readonly request: HubPull;
  readonly context: WriteContext;
  readonly wanted: readonly WantedFile[];
  readonly listing: Listing;
}

const parallelLinks = 8;

/** Makes proven blobs a snapshot: links, the list of the commit, and refs last, because a ref without its snapshot hides the whole repository. */
export async function publishSnapshot(publication: Publication, disk: Disk): Promise<void> {
  const { cache, paths, request, context, wanted, listing } = publication;
  await writeOnce(join(cache, cacheTagFile), cacheTag, disk);
  if (listing.state === "fetched") await disk.writeDurable(await disk.contained(cache, paths.tree(request.commit)), encodeTreeFile(listing.files));
  await forEachParallel(wanted, parallelLinks, context.signal, (file) => linkFile(file, publication, disk));
  for (const ref of request.refs) await pointRef(await disk.contained(cache, `${paths.refs}/${ref}`), request.commit, disk);
}

async function linkFile(file: WantedFile, { cache, paths, request, context }: Publication, disk: Disk): Promise<void> {
  const path = await disk.contained(cache, paths.snapshotFile(request.commit, file.path));
  if ((await regularFileAt(path)) !== undefined) await keepAside(file.path, path, { context, request }, disk);
  await disk.link(linkTarget(file.path, file.etag), path);
}

async function writeOnce(path: string, text: string, disk: Disk): Promise<void> {
  const there = await onDisk(`could not read ${path}`, () => unlessAbsent(readFile(path)));
  if (there === undefined) await disk.writeDurable(path, text);
}

/** Exactly the commit, without a line end: with one, the Python client no longer finds the snapshot. */
async function pointRef(path: string, commit: string, disk: Disk): Promise<void> {
  const there = await onDisk(`could not read ${path}`, () => unlessAbsent(readFile(path, "utf8")));
  if (there !== commit) await disk.writeDurable(path, commit);
}
