import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { isSha256 } from "../../domain/digest.ts";
import { failed, toFailure, type Failure } from "../../domain/failure.ts";
import type { ArtifactState, UnreadableHolding } from "../../domain/observed.ts";
import { blobOfLink, repoPaths } from "./cache-layout.ts";
import { placeOfBlob, type BlobPlace } from "./cache-locate.ts";
import { listRefs, listSnapshots, walkSnapshot, type SnapshotEntry } from "./cache-walk.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import type { HubFile } from "./hub-decode.ts";
import { readTreeFile } from "./hub-listing.ts";
import { formatHubRef, isCommit } from "./hub-id.ts";

/** A file of a snapshot as far as names and sizes tell. */
export interface ScannedFile {
  readonly path: string;
  readonly size: number;
  readonly blob: string;
  readonly declaredSha256?: string;
  /** Git id that the name of the blob declares. */
  readonly gitId?: string;
  readonly found: ArtifactState;
  /** Absolute path of the regular file with the bytes, when it is there with the declared size. */
  readonly file?: string;
}

export interface ScannedSnapshot {
  readonly ref: string;
  readonly commit: string;
  readonly names: readonly string[];
  readonly files: readonly ScannedFile[];
  /** Absolute path. */
  readonly folder: string;
  readonly modifiedMs: number;
}

export interface ScannedRepo {
  /** False when there may be more, so that absence proves nothing. */
  readonly complete: boolean;
  readonly snapshots: readonly ScannedSnapshot[];
  readonly unreadable: readonly UnreadableHolding[];
  readonly warnings: readonly string[];
}

interface RepoScan {
  readonly cache: string;
  readonly repo: string;
  readonly folder: string;
  /** Blobs are looked at once, however many snapshots share them. */
  readonly places: Map<string, Promise<BlobPlace>>;
}

/** Lists the snapshots of one repository of the cache, or only the one with the given commit. Throws when the repository itself cannot be read. */
export async function scanRepo(cache: string, repo: string, only?: string): Promise<ScannedRepo> {
  const paths = repoPaths(repo);
  const scan: RepoScan = { cache, repo, folder: join(cache, paths.folder), places: new Map() };
  const link = await linkOnTheWay([scan.folder, join(scan.folder, "snapshots")]);
  const { commits, others } = await listSnapshots(join(scan.folder, "snapshots"));
  const wanted = commits.filter((commit) => only === undefined || commit === only);
  if (link !== undefined) return behindLink(scan, link, only === undefined ? wanted : [only]);
  const refs = await listRefs(join(scan.folder, "refs"));
  const lost = [...refs.commits].filter(([, commit]) => !commits.includes(commit)).map(([name]) => name);
  const warnings = [
    ...refs.warnings,
    ...lost.map((name) => `the ref ${name} of ${repo} points at no snapshot`),
    ...others.map((name) => `${join(paths.snapshots, name)} is not a snapshot`),
  ];
  const snapshots: ScannedSnapshot[] = [];
  const failures: UnreadableHolding[] = [];
  for (const commit of wanted) {
    try {
      snapshots.push(
        await scanSnapshot(
          scan,
          commit,
          [...refs.commits].filter(([, pointed]) => pointed === commit).map(([name]) => name),
        ),
      );
    } catch (error) {
      failures.push(unreadable(scan, commit, toFailure(error)));
    }
  }
  return { complete: true, snapshots, unreadable: failures, warnings };
}

async function linkOnTheWay(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const found = await onDisk(`could not look at ${folder}`, () => unlessAbsent(lstat(folder)));
    if (found?.isSymbolicLink() === true) return folder;
  }
  return undefined;
}

/** Nothing is read or written behind a link, so a snapshot that is not seen there is not absent either. */
function behindLink(scan: RepoScan, link: string, commits: readonly string[]): ScannedRepo {
  const failure = linked(link);
  const repository: UnreadableHolding = { store: "huggingface", ref: scan.repo, failure };
  const snapshots = commits.map((commit) => unreadable(scan, commit, failure));
  return { complete: false, snapshots: [], unreadable: snapshots.length === 0 ? [repository] : snapshots, warnings: [] };
}

function linked(path: string): Failure {
  return failed("unsafe-path", `${path} is a symbolic link`, { remedy: "move the real folder into the cache" }).failure;
}

function unreadable({ repo }: RepoScan, commit: string, failure: Failure): UnreadableHolding {
  return { store: "huggingface", ref: formatHubRef({ repo, commit }), failure };
}

async function scanSnapshot(scan: RepoScan, commit: string, names: readonly string[]): Promise<ScannedSnapshot> {
  const folder = join(scan.folder, "snapshots", commit);
  const found = await onDisk(`could not look at ${folder}`, () => lstat(folder));
  if (!found.isDirectory()) throw failed("unsafe-path", `${folder} is a symbolic link`);
  const listed = new Map(((await readTreeFile(join(scan.folder, "trees", `${commit}.json`))) ?? []).map((file) => [file.path, file]));
  let modifiedMs = found.mtimeMs;
  const files: ScannedFile[] = [];
  for (const entry of await walkSnapshot(folder)) {
    const place = await placeOf(scan, folder, entry);
    if ("mtimeMs" in place) modifiedMs = Math.max(modifiedMs, place.mtimeMs);
    files.push(describe(scan, { commit, entry, place, listed: listed.get(entry.path) }));
  }
  return { ref: formatHubRef({ repo: scan.repo, commit }), commit, names: names.toSorted(), files, folder, modifiedMs };
}

type Place = BlobPlace & { readonly blob?: string };

async function placeOf(scan: RepoScan, folder: string, entry: SnapshotEntry): Promise<Place> {
  const path = join(folder, entry.path);
  if (entry.kind !== "link") return entry.kind === "file" ? ownFile(path) : { kind: "foreign", why: "it is not a regular file" };
  const blob = blobOfLink(scan.folder, path, entry.target);
  if (blob === undefined) return { kind: "foreign", why: `its link leads out of the repository to ${entry.target}` };
  const known = scan.places.get(blob) ?? blobPlace(scan, blob);
  scan.places.set(blob, known);
  return { ...(await known), blob };
}

async function ownFile(path: string): Promise<BlobPlace> {
  const { size, mtimeMs } = await onDisk(`could not look at ${path}`, () => lstat(path));
  return { kind: "own", path, size, mtimeMs };
}

async function blobPlace({ cache, folder }: RepoScan, blob: string): Promise<BlobPlace> {
  const blobs = await onDisk(`could not look at ${folder}`, () => unlessAbsent(lstat(join(folder, "blobs"))));
  if (blobs?.isSymbolicLink() === true) return { kind: "foreign", why: "the folder of the blobs is a symbolic link" };
  return placeOfBlob(cache, join(folder, "blobs", blob));
}

interface Sighting {
  readonly commit: string;
  readonly entry: SnapshotEntry;
  readonly place: Place;
  readonly listed: HubFile | undefined;
}

/**
 * What is missing is judged by the links of the snapshot, not by the list of the commit: a snapshot may be a chosen part of its commit. The list
 * gives sizes and hashes where it has them.
 */
function describe({ repo }: RepoScan, { commit, entry, place, listed }: Sighting): ScannedFile {
  const { path } = entry;
  const size = listed?.size ?? sizeFound(place);
  const name = place.blob ?? `snapshots/${commit}/${path}`;
  const base = { path, size, blob: place.kind === "shared" ? `shared:${place.xetHash}` : `${repo}:${name}`, ...declaredHash(name, listed) };
  switch (place.kind) {
    case "absent":
      return { ...base, found: { state: "missing" } };
    case "foreign":
      return { ...base, found: { state: "unreadable", failure: failed("unsafe-path", `${path} of ${repo}: ${place.why}`).failure } };
    case "own":
    case "shared":
      if (place.size !== size) return { ...base, found: { state: "incomplete", size: place.size } };
      return { ...base, found: { state: "present", level: "presence" }, file: place.path };
  }
}

function sizeFound(place: Place): number {
  return "size" in place ? place.size : 0;
}

/** What the name of the blob declares, else what the list of the commit does. */
function declaredHash(blob: string, listed: HubFile | undefined): Pick<ScannedFile, "declaredSha256" | "gitId"> {
  if (isSha256(blob)) return { declaredSha256: blob };
  if (listed?.sha256 !== undefined) return { declaredSha256: listed.sha256 };
  const gitId = isCommit(blob) ? blob : listed?.blobId;
  return gitId === undefined ? {} : { gitId };
}
