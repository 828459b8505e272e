import { lstat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { RemoveRequest } from "../../domain/action.ts";
import { failed, type HoldfastError } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { ModelReader, WriteContext } from "../../ports/model-store.ts";
import type { Removed } from "./cache-remove.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { partFolder } from "./folder-downloads.ts";
import { downloadsFolder, recordsFolder } from "./folder-records.ts";
import { noteForeign } from "./known-entries.ts";
import { removeEmptyFolders, removeFile, removeTree } from "./safe-remove.ts";

export interface FolderRemoval {
  readonly request: RemoveRequest;
  readonly context: WriteContext;
  readonly disk: Disk;
  readonly reader: ModelReader;
}

/** What a download leaves beside its records. */
const recordFiles = [".gitignore", "CACHEDIR.TAG", "holdfast.lock"];

/**
 * Removes the files that were downloaded into a plain folder, then the records of that; what somebody else put there stays, and so does a folder
 * without records. Links are removed, never what they lead to. Running again finishes what a crash left.
 */
export async function removeFolder({ request, context, disk, reader }: FolderRemoval): Promise<Removed> {
  const { ref } = request;
  requireOrdinaryFolder(ref);
  const found = await onDisk(`could not look at ${ref}`, () => unlessAbsent(lstat(ref)));
  if (found === undefined) return { freedBytes: 0 };
  if (found.isSymbolicLink()) throw notDownloaded(ref, "it is a symbolic link");
  if (!found.isDirectory()) throw failed("unsafe-path", `refused to remove ${ref}: it is not a folder`);
  await requireContent(request, reader, context.signal);
  const { known, foreign, hasRecords } = await partFolder(ref);
  if (!hasRecords && known.length + foreign.length > 0) throw notDownloaded(ref, "no record says that anything in it was downloaded");
  const files = known.filter((entry) => entry.kind === "file").map((entry) => entry.path);
  const quarantine = request.quarantine && files.length > 0 ? await keep(ref, files, disk) : undefined;
  const [parent, name] = [dirname(ref), basename(ref)];
  let freedBytes = 0;
  for (const { path } of known) {
    context.signal.throwIfAborted();
    freedBytes += await removeFile(parent, `${name}/${path}`);
  }
  await removeRecords(parent, name);
  noteForeign(foreign, ref, context);
  return { freedBytes, ...(quarantine === undefined ? {} : { quarantine }) };
}

/** Records of downloads last: with them, running again knows what is left to do. Where no records are, nothing is touched. */
async function removeRecords(parent: string, name: string): Promise<void> {
  const records = `${name}/${recordsFolder.join("/")}`;
  if ((await onDisk(`could not look at ${records}`, () => unlessAbsent(lstat(join(parent, records))))) === undefined) return;
  await removeTree(parent, `${records}/trees`);
  for (const file of recordFiles) await removeFile(parent, `${records}/${file}`);
  await removeTree(parent, `${name}/${downloadsFolder.join("/")}`);
  await removeEmptyFolders(parent, name);
}

function notDownloaded(ref: string, why: string): HoldfastError {
  return failed("unsupported", `refused to remove ${ref}: ${why}`, { remedy: "remove it by hand if nobody needs it" });
}

function keep(ref: string, paths: readonly string[], disk: Disk): Promise<string> {
  return disk.quarantine(
    paths.map((path) => ({ from: join(ref, path), as: path })),
    { reason: "removed", ref },
    "copy",
  );
}

/** A slip in a manifest must not cost a home folder. */
export function requireOrdinaryFolder(ref: string): void {
  const isParentOf = (place: string): boolean => !relative(ref, place).startsWith("..");
  if (!isAbsolute(ref) || resolve(ref) !== ref || dirname(ref) === dirname(dirname(ref)) || isParentOf(homedir()) || isParentOf(process.cwd())) {
    throw failed("unsafe-path", `refused to remove ${JSON.stringify(ref)}: it is not the folder of a model`);
  }
}

async function requireContent({ ref, contentId }: RemoveRequest, reader: ModelReader, signal: AbortSignal): Promise<void> {
  if (contentId === undefined) return;
  const holding = await reader.inspect(ref, "presence", signal);
  const there = holding !== undefined && "contentId" in holding ? holding.contentId : undefined;
  if (holding !== undefined && there !== contentId) throw failed("precondition", `${ref} holds ${there ?? "other content"}, not ${contentId}`);
}
