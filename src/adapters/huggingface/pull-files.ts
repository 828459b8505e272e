import { lstat, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { HubPull } from "../../domain/action.ts";
import { isSha256, type Sha256 } from "../../domain/digest.ts";
import { failed, HoldfastError } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { HashCache } from "../../ports/hash-cache.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { diskFailure, errnoOf, onDisk, unlessAbsent } from "./disk-errors.ts";
import { fetchFiles, type FetchSettings, type Proof } from "./fetch-files.ts";
import type { Listing } from "./hub-listing.ts";
import { isCommit, isRepoId } from "./hub-id.ts";
import { unsafeListing } from "./listing-safety.ts";
import { unsafePathReason } from "../../domain/safe-path.ts";
import { rememberHashes, type HashedFile } from "./remember-hashes.ts";
import { openSafeFolder } from "./safe-folder.ts";
import type { Slot } from "./slot.ts";
import { survey } from "./survey.ts";

export interface PullSettings extends FetchSettings {
  readonly hasher: FileHasher;
  /** Where hashes that were computed while streaming are remembered, so that nobody reads the file again. */
  readonly hashCache?: HashCache;
}

export interface PullJob {
  readonly request: HubPull;
  /** Paths that are read again, however recently they were proven. */
  readonly distrusted: ReadonlySet<string>;
  readonly root: string;
  readonly slots: readonly Slot[];
  readonly listing: Listing;
  readonly context: WriteContext;
  readonly locate: (slot: Slot) => Promise<string | undefined>;
  /** `at-once`: a proven file gets its name as soon as it is complete; `together`: when all are. */
  readonly promote: "at-once" | "together";
}

/** Refuses a request whose names or paths must not come near a disk. */
export function requireSafe(request: HubPull): void {
  const { repo, commit, files, refs } = request;
  if (!isRepoId(repo)) throw failed("invalid-input", `${JSON.stringify(repo)} is not the name of a repository`);
  if (!isCommit(commit)) throw failed("invalid-input", `${JSON.stringify(commit)} is not a commit`);
  const unsafe = unsafeListing(files.map((file) => file.path));
  if (unsafe !== undefined) throw unsafe;
  for (const ref of refs) {
    const reason = unsafePathReason(ref);
    if (reason !== undefined) throw failed("unsafe-path", `refused the ref ${JSON.stringify(ref)}: it ${reason}`);
  }
  const odd = files.find(({ sha256, blobId }) => (sha256 !== undefined && !isSha256(sha256)) || (blobId !== undefined && !isCommit(blobId)));
  if (odd !== undefined) throw failed("invalid-input", `${odd.path} of ${repo} is planned with something that is not a hash`);
}

/** Makes every slot hold proven bytes and returns their hashes; what is good already is neither fetched nor touched. */
export async function pullFiles(job: PullJob, settings: PullSettings): Promise<ReadonlyMap<Slot, Sha256>> {
  const { slots, root, context } = job;
  const { good, missing, bad } = await survey(slots, {
    hasher: settings.hasher,
    locate: job.locate,
    distrusted: (slot) => job.distrusted.has(slot.wanted.path),
    signal: context.signal,
    onBytes: () => {},
  });
  const proven = new Map(good);
  const open = [...missing, ...bad];
  if (open.length > 0 && job.listing.state === "unknown") throw new HoldfastError(job.listing.failure);
  const waiting: (readonly [Slot, Proof])[] = [];
  const promoted: HashedFile[] = [];
  const { repo, commit } = job.request;
  await fetchFiles(
    {
      repo,
      commit,
      root,
      slots: open,
      context,
      async onProven(slot, proof) {
        proven.set(slot, proof.sha256);
        if (job.promote === "at-once") promoted.push(await promote(slot, proof, job, settings.disk));
        else waiting.push([slot, proof]);
      },
    },
    settings,
  );
  for (const [slot, proof] of waiting) promoted.push(await promote(slot, proof, job, settings.disk));
  if (settings.hashCache !== undefined) await rememberHashes(promoted, settings.hashCache);
  return proven;
}

/** Gives a proven part its name. Wrong bytes that are there are kept aside first; at no moment is there no file where one was. */
async function promote(slot: Slot, proof: Proof, job: PullJob, disk: Disk): Promise<HashedFile> {
  const { root, request } = job;
  const part = join(root, ...slot.partFolder, slot.partName);
  const final = await disk.contained(root, slot.final);
  await keepAside(slot.wanted.path, final, job, disk);
  try {
    await disk.promote(part, final, { mode: slot.mode });
  } catch (error) {
    throw await afterFailedSync(error, slot, job);
  }
  const found = await onDisk(`could not look at ${final}`, () => stat(final, { bigint: true }));
  if (found.ino !== proof.ino || found.mtimeNs !== proof.mtimeNs || found.size !== BigInt(slot.wanted.size)) {
    throw failed("integrity", `${slot.wanted.path} of ${request.repo} was changed while it was put in place`, { retry: "transient" });
  }
  return { path: final, found, sha256: proof.sha256 };
}

/** Puts a copy of a regular file into the quarantine before something takes its place. */
export async function keepAside(path: string, final: string, { context, request }: Pick<PullJob, "context" | "request">, disk: Disk): Promise<void> {
  const there = await onDisk(`could not look at ${final}`, () => unlessAbsent(lstat(final)));
  if (there?.isFile() !== true) return;
  const note = { reason: "replaced", repo: request.repo, commit: request.commit, path, from: final };
  const folder = await disk.quarantine([{ from: final, as: path }], note, "copy");
  context.progress({ type: "note", id: context.id, message: `kept what was in the place of ${path} in ${folder}` });
}

/** After a failed sync the bytes in memory and on disk may differ, and a second sync would not tell: the part is thrown away. */
async function afterFailedSync(error: unknown, slot: Slot, job: PullJob): Promise<Error> {
  const cause = error instanceof HoldfastError ? error.cause : error;
  if (errnoOf(cause) !== "EIO") return diskFailure(error, `could not put ${slot.wanted.path} in place`);
  const folder = await openSafeFolder(job.root, slot.partFolder, "find");
  if (folder !== undefined) {
    await unlessAbsent(unlink(folder.at(slot.partName)));
    await folder.close();
  }
  const message = `${slot.wanted.path} of ${job.request.repo} could not be written safely: input/output error (EIO)`;
  return failed("integrity", message, { cause: error, remedy: "check the disk" });
}
