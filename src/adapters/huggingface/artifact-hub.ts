import { failed } from "../../domain/failure.ts";
import { fileSelected } from "../../domain/file-patterns.ts";
import type { Upstream, UpstreamFile } from "../../domain/upstream.ts";
import type { ArtifactHub, UpstreamQuery } from "../../ports/artifact-hub.ts";
import { hashUndeclared } from "./hash-undeclared.ts";
import { createHubClient, type HubClient } from "./hub-client.ts";
import type { HubFile } from "./hub-decode.ts";
import { networkFailure } from "./hub-errors.ts";
import { isCommit, isRepoId } from "./hub-id.ts";
import type { HubConnection } from "./hub-transport.ts";
import { unsafeListing } from "./listing-safety.ts";
import { metadataRetry, type RetryOptions } from "./retry.ts";

export interface ArtifactHubOptions extends HubConnection {
  /** HF_HUB_OFFLINE: nothing is asked. */
  readonly offline: boolean;
  readonly retry?: RetryOptions;
}

type HubUpstream = Extract<Upstream, { kind: "huggingface" }>;
type HubSource = Extract<UpstreamQuery["source"], { kind: "huggingface" }>;

/** Asks a Hugging Face hub, or a mirror of one, which files a revision has. */
export function createHubArtifactHub(options: ArtifactHubOptions): ArtifactHub {
  let client: HubClient | undefined;
  return {
    kind: "huggingface",
    async resolve({ source, commit, hashAll }, signal) {
      signal.throwIfAborted();
      try {
        if (source.kind !== "huggingface") throw failed("unsupported", "the hub was asked about a model that is not from a hub");
        if (options.offline) throw offline(source);
        client ??= createHubClient(options, options.retry);
        const upstream = await resolveSource(client, source, commit, signal);
        if (hashAll !== true) return upstream;
        const asked = { client, repo: source.repo, commit: upstream.commit, retry: options.retry ?? metadataRetry };
        return { ...upstream, files: await hashUndeclared(upstream.files, asked, signal) };
      } catch (error) {
        signal.throwIfAborted();
        return { state: "failed", failure: networkFailure(error, "asking the hub").failure };
      }
    },
  };
}

function offline(source: HubSource): Error {
  const remedy = "unset HF_HUB_OFFLINE to resolve and download";
  return failed("unreachable", `HF_HUB_OFFLINE is set, so the hub is not asked about ${source.repo}`, { remedy });
}

async function resolveSource(client: HubClient, source: HubSource, locked: string | undefined, signal: AbortSignal): Promise<HubUpstream> {
  const { repo } = source;
  const revision = locked ?? source.revision;
  if (!isRepoId(repo)) throw failed("invalid-input", `${JSON.stringify(repo)} is not the name of a repository`);
  if (revision === "") throw failed("invalid-input", `${repo}: the revision is empty`);
  const [facts, listed] = isCommit(revision)
    ? await Promise.all([client.revision(repo, revision, signal), client.tree(repo, revision, signal)])
    : await client.revision(repo, revision, signal).then(async (found) => [found, await client.tree(repo, found.commit, signal)] as const);
  const isOther = isCommit(revision) && facts.commit !== revision;
  if (isOther) throw failed("protocol", `resolving ${repo}: asked for commit ${revision}, the hub answers ${facts.commit}`);
  const selected = listed.filter((file) => fileSelected(file.path, source.include, source.exclude));
  const unsafe = unsafeListing(selected.map((file) => file.path));
  if (unsafe !== undefined) throw unsafe;
  return { state: "resolved", kind: "huggingface", ...facts, files: selected.map(upstreamFile) };
}

function upstreamFile({ path, size, blobId, sha256 }: HubFile): UpstreamFile {
  return { path, size, blobId, ...(sha256 === undefined ? {} : { sha256 }) };
}
