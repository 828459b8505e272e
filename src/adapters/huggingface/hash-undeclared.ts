import { createHash } from "node:crypto";
import { failed } from "../../domain/failure.ts";
import type { UpstreamFile } from "../../domain/upstream.ts";
import { gitBlobHash } from "./git-blob.ts";
import type { HubClient } from "./hub-client.ts";
import { networkFailure } from "./hub-errors.ts";
import { mapParallel } from "./parallel.ts";
import { pump } from "./pump.ts";
import { withRetry, type RetryOptions } from "./retry.ts";

export interface Undeclared {
  readonly client: HubClient;
  readonly repo: string;
  readonly commit: string;
  readonly retry: RetryOptions;
}

/** Files that are not in LFS are small texts; anything larger has to be pulled to be locked. */
const largest = 32 * 1024 * 1024;
const parallelFiles = 4;

/** The files, each with its SHA-256: for files outside LFS the hub declares only a Git id, so they are read once, checked against it, and not kept. */
export async function hashUndeclared(files: readonly UpstreamFile[], asked: Undeclared, signal: AbortSignal): Promise<readonly UpstreamFile[]> {
  return mapParallel(files, parallelFiles, signal, async (file, inner) => {
    if (file.sha256 !== undefined || file.size > largest) return file;
    return { ...file, sha256: await withRetry(() => hashFile(file, asked, inner), asked.retry, inner) };
  });
}

async function hashFile({ path, size, blobId }: UpstreamFile, { client, repo, commit }: Undeclared, signal: AbortSignal): Promise<string> {
  const { response } = await client.open({ repo, commit, path, offset: 0 }, signal);
  const content = createHash("sha256");
  const git = gitBlobHash(size);
  let received = 0;
  const sink = {
    received: () => {},
    write: async (chunks: readonly Buffer[]) => {
      for (const chunk of chunks) {
        received += chunk.length;
        content.update(chunk);
        git.update(chunk);
      }
    },
  };
  const end = await pump(response.body, size, sink).catch((error: unknown) => {
    signal.throwIfAborted();
    throw networkFailure(error, `reading ${path} of ${repo}`);
  });
  const isRight = end === "ended" && received === size && (blobId === undefined || git.digest("hex") === blobId);
  if (!isRight) throw failed("integrity", `${path} of ${repo} at ${commit} is not what the hub lists`);
  return content.digest("hex");
}
