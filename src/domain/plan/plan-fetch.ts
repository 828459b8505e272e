import type { Blocked, PullRequest } from "../action.ts";
import type { Failure } from "../failure.ts";
import type { LockEntry } from "../lock.ts";
import type { Model } from "../model.ts";
import type { Holding, Observation, StoreId } from "../observed.ts";
import type { Upstream, UpstreamFile } from "../upstream.ts";
import { blobKey, bytesToDownload } from "../sizes.ts";

/** How the bytes of a model can be had: a request with its size, or the reason why they cannot. */
export type FetchChoice =
  | {
      readonly state: "possible";
      readonly request: PullRequest;
      readonly ref: string;
      readonly bytes: number;
      readonly sizeUnknown: boolean;
      readonly note?: string;
    }
  | { readonly state: "impossible"; readonly cause: Blocked["cause"]; readonly reason: string; readonly failure?: Failure; readonly remedy?: string };

interface FetchQuestion {
  readonly model: Model;
  readonly store: StoreId;
  readonly ref?: string;
  readonly lock?: LockEntry;
  readonly upstream?: Upstream;
  /** The store is read from disk only: no server can fetch into it. */
  readonly readOnly: boolean;
  readonly observation?: Observation;
  /** For repairs: what is here already decides the bytes, even without a lock. */
  readonly holding?: Holding;
}

/** Decides how to fetch a model so that exactly the locked (or, for repairs, the held) bytes arrive. */
export function chooseFetch(question: FetchQuestion): FetchChoice {
  switch (question.model.source.kind) {
    case "ollama":
      if (question.readOnly)
        return {
          state: "impossible",
          cause: "missing",
          reason: "its store is only read from disk, no Ollama server is declared for it",
          remedy: "give the backend a `url`",
        };
      return chooseOllama(question);
    case "huggingface":
      return chooseHub(question);
    case "path":
      return {
        state: "impossible",
        cause: "missing",
        reason: "its folder is filled by somebody else",
        remedy: "put the files back, or change `source.path.dir`",
      };
    case "remote":
      return { state: "impossible", cause: "missing", reason: "a remote model has no local bytes" };
  }
}

function chooseOllama(question: FetchQuestion): FetchChoice {
  const { upstream, holding, lock } = question;
  const ref = question.ref ?? holding?.ref ?? "";
  const wanted = wantedManifest(lock, holding);
  if (upstream === undefined || upstream.state === "failed") {
    const failure = upstream?.failure ?? { code: "unreachable", retry: "transient", message: `the registry of ${ref} was not asked` };
    return chooseOllamaBlind(question, ref, wanted, failure);
  }
  if (upstream.kind !== "ollama") return impossible(upstream);
  const files = upstream.files.map((file) => ({ size: file.size, blob: file.path }));
  const bytes = bytesToDownload(files, question.observation);
  if (wanted === undefined || wanted.digest === upstream.digest || sameFiles(wanted.files, upstream.files)) {
    return { state: "possible", request: { kind: "ollama", model: ref, digest: upstream.digest }, ref, bytes, sizeUnknown: false };
  }
  return choosePinned(question, ref, wanted, upstream.missingBlobs, "the tag has moved upstream");
}

interface WantedManifest {
  readonly digest: string;
  readonly manifest: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

function wantedManifest(lock: LockEntry | undefined, holding: Holding | undefined): WantedManifest | undefined {
  if (lock?.source.kind === "ollama") return { digest: lock.source.manifestDigest, manifest: lock.source.manifest, files: lock.artifacts };
  if (holding?.manifest === undefined || holding.contentId === undefined) return undefined;
  return { digest: holding.contentId, manifest: holding.manifest, files: holding.artifacts };
}

function sameFiles(a: readonly { readonly path: string }[], b: readonly { readonly path: string }[]): boolean {
  const paths = new Set(a.map((file) => file.path));
  return paths.size === new Set(b.map((file) => file.path)).size && b.every((file) => paths.has(file.path));
}

function choosePinned(question: FetchQuestion, ref: string, wanted: WantedManifest, missing: readonly string[], why: string): FetchChoice {
  if (missing.length > 0) {
    return {
      state: "impossible",
      cause: "missing",
      reason: `not re-fetchable: ${why} and the registry no longer has ${missing.length} of the locked layers`,
      failure: { code: "not-refetchable", retry: "terminal", message: `${ref}: the registry no longer has ${missing.join(", ")}` },
      remedy: `accept what the tag is now with \`holdfast lock ${question.model.metadata.name} --update\`, or restore the layers from a backup`,
    };
  }
  const bytes = bytesToDownload(
    wanted.files.map((file) => ({ size: file.size, blob: file.path })),
    question.observation,
  );
  const pin = { manifest: wanted.manifest, digest: wanted.digest };
  return { state: "possible", request: { kind: "ollama", model: ref, digest: wanted.digest, pin }, ref, bytes, sizeUnknown: false, note: why };
}

/** The registry did not answer the question for the tag: with known bytes the pin may still work, without it Ollama may see what we do not. */
function chooseOllamaBlind(question: FetchQuestion, ref: string, wanted: WantedManifest | undefined, failure: Failure): FetchChoice {
  const { upstream } = question;
  const missing = upstream?.state === "failed" ? upstream.missingBlobs : undefined;
  if (failure.code === "not-found" && wanted !== undefined && missing !== undefined)
    return choosePinned(question, ref, wanted, missing, "the tag is gone upstream");
  if (failure.retry === "terminal") return { state: "impossible", cause: "missing", reason: failure.message, failure, ...remedyOf(failure) };
  if (wanted !== undefined)
    return { state: "impossible", cause: "unknown", reason: `the registry could not be asked: ${failure.message}`, failure, ...remedyOf(failure) };
  return {
    state: "possible",
    request: { kind: "ollama", model: ref },
    ref,
    bytes: 0,
    sizeUnknown: true,
    note: "the registry cannot be reached from here; Ollama may reach it",
  };
}

function chooseHub(question: FetchQuestion): FetchChoice {
  const { model, upstream, lock } = question;
  if (model.source.kind !== "huggingface") return { state: "impossible", cause: "missing", reason: "not a Hub model" };
  if (upstream?.state !== "resolved") return impossible(upstream);
  if (upstream.kind !== "huggingface") return impossible(undefined);
  const files = lock === undefined ? upstream.files : lockedFiles(lock, upstream.files);
  if (typeof files === "string") {
    return {
      state: "impossible",
      cause: "missing",
      reason: `not re-fetchable: ${files}`,
      failure: { code: "not-refetchable", retry: "terminal", message: files },
    };
  }
  const { repo, revision, layout, dir } = model.source;
  const ref = layout === "dir" ? (dir ?? "") : `${repo}@${upstream.commit}`;
  const isBranch = lock === undefined && revision !== upstream.commit;
  const refs = [`holdfast/${model.metadata.name}`, ...(isBranch ? [revision] : [])];
  const request: PullRequest = { kind: "huggingface", repo, commit: upstream.commit, files, layout, refs, ...(dir === undefined ? {} : { dir }) };
  const asListed = new Map(upstream.files.map((file) => [file.path, file]));
  const wanted = files.map((file) => ({ size: file.size, blob: blobKey(question.store, repo, asListed.get(file.path) ?? file) }));
  return { state: "possible", request, ref, bytes: bytesToDownload(wanted, question.observation), sizeUnknown: false };
}

/** The locked files with the blob ids of the listing, or why the hub does not offer them any more. */
function lockedFiles(lock: LockEntry, offered: readonly UpstreamFile[]): readonly UpstreamFile[] | string {
  const byPath = new Map(offered.map((file) => [file.path, file]));
  const files: UpstreamFile[] = [];
  for (const artifact of lock.artifacts) {
    const file = byPath.get(artifact.path);
    if (file === undefined) return `the hub no longer lists ${artifact.path} at the locked commit`;
    if (file.size !== artifact.size || (file.sha256 !== undefined && file.sha256 !== artifact.sha256))
      return `the hub offers other bytes for ${artifact.path} than the lock`;
    files.push({ ...artifact, ...(file.blobId === undefined ? {} : { blobId: file.blobId }) });
  }
  return files;
}

function impossible(upstream: Upstream | undefined): FetchChoice {
  if (upstream?.state !== "failed") return { state: "impossible", cause: "unknown", reason: "the hub was not asked" };
  const { failure } = upstream;
  const cause = failure.retry === "transient" || failure.code === "protocol" ? "unknown" : "missing";
  return { state: "impossible", cause, reason: failure.message, failure, ...remedyOf(failure) };
}

function remedyOf(failure: Failure): { readonly remedy?: string } {
  return failure.remedy === undefined ? {} : { remedy: failure.remedy };
}
