import { createHash } from "node:crypto";
import { isAbsolute, join } from "node:path";
import type { HubPull } from "../../domain/action.ts";
import type { Sha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { downloadsFolder, foldersOfRecords, recordsFolder, treeFileOf, writeRecords } from "./folder-records.ts";
import { listCommit } from "./hub-listing.ts";
import { removeLeftovers } from "./leftovers.ts";
import { pullFiles, requireSafe, type PullSettings } from "./pull-files.ts";
import { withRepoLock } from "./repo-lock.ts";
import { partSuffix, type Slot } from "./slot.ts";
import { regularFileAt } from "./survey.ts";
import { wantedFiles, type WantedFile } from "./wanted-file.ts";

export interface FolderPull {
  readonly dir: string;
  readonly request: HubPull;
  /** Paths whose bytes are read again, however recently they were proven. */
  readonly distrusted: ReadonlySet<string>;
  readonly context: WriteContext;
}

/** Makes a plain folder hold the wanted files and returns their hashes by path. No file gets its name before all are proven. */
export async function pullToFolder(pull: FolderPull, settings: PullSettings): Promise<ReadonlyMap<string, Sha256>> {
  requireSafe(pull.request);
  if (!isAbsolute(pull.dir)) throw failed("invalid-input", `${JSON.stringify(pull.dir)} is not an absolute folder`);
  return withRepoLock({ root: pull.dir, folder: recordsFolder }, pull.context.signal, () => pullLocked(pull, settings));
}

async function pullLocked({ dir, request, distrusted, context }: FolderPull, settings: PullSettings): Promise<ReadonlyMap<string, Sha256>> {
  const listing = await listCommit(request, join(dir, treeFileOf(request.commit)), settings.client, context.signal);
  const wanted = wantedFiles(request, listing.state === "unknown" ? undefined : listing.files);
  const slots = wanted.map(slotOf);
  const names = new Set(slots.map((slot) => slot.partName));
  const written = foldersOfRecords(dir, request.commit, wanted);
  await removeLeftovers([dir, join(dir, ...downloadsFolder), ...written], { root: dir, folder: downloadsFolder, names }, settings.disk, context);
  const proven = await pullFiles(
    { request, distrusted, root: dir, slots, listing, context, promote: "together", locate: (slot) => regularFileAt(join(dir, slot.final)) },
    settings,
  );
  await writeRecords({ dir, request, wanted, listing, signal: context.signal }, settings.disk);
  return new Map([...proven].map(([slot, sha256]) => [slot.wanted.path, sha256]));
}

function slotOf(wanted: WantedFile): Slot {
  const id = createHash("sha1").update(wanted.path).digest("hex");
  return { wanted, final: wanted.path, partFolder: downloadsFolder, partName: `${id}.${wanted.etag}${partSuffix}`, mode: 0o644 };
}
