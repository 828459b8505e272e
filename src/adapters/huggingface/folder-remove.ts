import { lstat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { RemoveRequest } from "../../domain/action.ts";
import { failed } from "../../domain/failure.ts";
import type { Disk } from "../../ports/disk.ts";
import type { ModelReader, WriteContext } from "../../ports/model-store.ts";
import type { Removed } from "./cache-remove.ts";
import { walkSnapshot } from "./cache-walk.ts";
import { onDisk, unlessAbsent } from "./disk-errors.ts";
import { removeFile, removeTree } from "./safe-remove.ts";

export interface FolderRemoval {
  readonly request: RemoveRequest;
  readonly context: WriteContext;
  readonly disk: Disk;
  readonly reader: ModelReader;
}

/** Removes a plain folder with everything in it; links are removed, never what they lead to. Running again finishes what a crash left. */
export async function removeFolder({ request, context, disk, reader }: FolderRemoval): Promise<Removed> {
  const { ref } = request;
  requireOrdinaryFolder(ref);
  const found = await onDisk(`could not look at ${ref}`, () => unlessAbsent(lstat(ref)));
  if (found === undefined) return { freedBytes: 0 };
  const [parent, name] = [dirname(ref), basename(ref)];
  if (found.isSymbolicLink()) return { freedBytes: await removeFile(parent, name) };
  if (!found.isDirectory()) throw failed("unsafe-path", `refused to remove ${ref}: it is not a folder`);
  await requireContent(request, reader, context.signal);
  const paths = (await walkSnapshot(ref)).filter((entry) => entry.kind === "file").map((entry) => entry.path);
  const models = paths.filter((path) => !path.startsWith(".cache/huggingface/"));
  const quarantine = request.quarantine && models.length > 0 ? await keep(ref, models, disk) : undefined;
  let freedBytes = 0;
  for (const path of models) {
    context.signal.throwIfAborted();
    freedBytes += await removeFile(parent, `${name}/${path}`);
  }
  await removeTree(parent, name);
  return { freedBytes, ...(quarantine === undefined ? {} : { quarantine }) };
}

function keep(ref: string, paths: readonly string[], disk: Disk): Promise<string> {
  return disk.quarantine(paths.map((path) => ({ from: join(ref, path), as: path })), { reason: "removed", ref }, "copy");
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
