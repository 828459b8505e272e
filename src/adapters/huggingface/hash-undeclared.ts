import { createHash } from "node:crypto";
import { failed } from "../../domain/failure.ts";
import type { UpstreamFile } from "../../domain/upstream.ts";
import { gitBlobHash } from "./git-blob.ts";
import type { HubClient } from "./hub-client.ts";
import { mapParallel } from "./parallel.ts";
import { metadataRetry, withRetry } from "./retry.ts";

/** Files that are not in LFS are small texts; anything larger has to be pulled to be locked. */
const largest = 32 * 1024 * 1024;
const parallel = 4;

/** The files, each with its SHA-256: the hub declares only the Git id of files outside LFS, so those are read once, checked against it, and not kept. */
export async function hashUndeclared(client: HubClient, repo: string, commit: string, files: readonly UpstreamFile[], signal: AbortSignal): Promise<readonly UpstreamFile[]> {
  return mapParallel(files, parallel, signal, async (file, inner) => {
    if (file.sha256 !== undefined || file.size > largest) return file;
    return { ...file, sha256: await withRetry(() => hashFile(client, repo, commit, file, inner), metadataRetry, inner) };
  });
}

async function hashFile(client: HubClient, repo: string, commit: string, file: UpstreamFile, signal: AbortSignal): Promise<string> {
  const { response } = await client.open({ repo, commit, path: file.path, offset: 0 }, signal);
  const content = createHash("sha256");
  const git = gitBlobHash(file.size);
  let size = 0;
  for await (const chunk of response.body) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > file.size) break;
    content.update(chunk);
    git.update(chunk);
  }
  const right = size === file.size && (file.blobId === undefined || git.digest("hex") === file.blobId);
  if (!right) throw failed("integrity", `${file.path} of ${repo} at ${commit} is not what the hub lists`);
  return content.digest("hex");
}
