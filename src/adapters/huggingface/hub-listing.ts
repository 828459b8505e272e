import { open } from "node:fs/promises";
import type { HubPull } from "../../domain/action.ts";
import { HoldfastError, type Failure } from "../../domain/failure.ts";
import { unlessAbsent } from "./disk-errors.ts";
import type { HubClient } from "./hub-client.ts";
import type { HubFile } from "./hub-decode.ts";
import { decodeTreeFile, treeFileLimit } from "./tree-file.ts";
import { agrees } from "./wanted-file.ts";

/** The files of the commit: from the list that lies in the store when it speaks about the same bytes, else from the hub. */
export type Listing =
  | { readonly state: "kept" | "fetched"; readonly files: readonly HubFile[] }
  /** The hub did not answer; that matters only if something has to be fetched. */
  | { readonly state: "unknown"; readonly failure: Failure };

export async function listCommit(request: HubPull, treeFile: string, client: HubClient, signal: AbortSignal): Promise<Listing> {
  const kept = await readTreeFile(treeFile);
  if (kept !== undefined && agrees(request, kept)) return { state: "kept", files: kept };
  try {
    return { state: "fetched", files: await client.tree(request.repo, request.commit, signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return { state: "unknown", failure: error.failure };
    throw error;
  }
}

/** The kept list of a commit; undefined when there is none that can be read and understood. */
export async function readTreeFile(path: string): Promise<readonly HubFile[] | undefined> {
  const handle = await unlessAbsent(open(path, "r")).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    return size > treeFileLimit ? undefined : decodeTreeFile(await handle.readFile("utf8"));
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
