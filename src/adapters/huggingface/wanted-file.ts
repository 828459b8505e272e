import type { HubPull } from "../../domain/action.ts";
import type { Sha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import type { UpstreamFile } from "../../domain/upstream.ts";
import type { HubFile } from "./hub-decode.ts";
import { isPointerId } from "./git-blob.ts";

/** A file that must be there afterwards, with everything that proves its bytes. */
export interface WantedFile {
  readonly path: string;
  readonly size: number;
  /** Name of the blob: SHA-256 for LFS files, Git id for others. */
  readonly etag: string;
  readonly sha256?: Sha256;
  /** Git id of the content; undefined for LFS files. */
  readonly gitId?: string;
}

/** Joins what the plan asks for with what the hub lists at the commit; a commit that lists other bytes than the plan is tampered with. */
export function wantedFiles(request: HubPull, listing: readonly HubFile[] | undefined): readonly WantedFile[] {
  const listed = listing === undefined ? undefined : new Map(listing.map((file) => [file.path, file]));
  return request.files.map((file) => {
    if (listed === undefined) return unlisted(file, request);
    const offer = listed.get(file.path);
    if (offer === undefined) throw failed("not-found", `${request.repo} has no file ${file.path} at commit ${request.commit}`);
    const conflict = conflictOf(file, offer);
    if (conflict !== undefined) throw failed("integrity", `${file.path} of ${request.repo}: ${conflict}`);
    return listedFile(file, offer);
  });
}

/** True when a kept list speaks about the same bytes as the plan. */
export function agrees(request: HubPull, listing: readonly HubFile[]): boolean {
  const listed = new Map(listing.map((file) => [file.path, file]));
  return request.files.every((file) => {
    const offer = listed.get(file.path);
    return offer !== undefined && conflictOf(file, offer) === undefined;
  });
}

function conflictOf(file: UpstreamFile, offer: HubFile): string | undefined {
  const pairs = [
    ["size", file.size, offer.size],
    ["SHA-256", file.sha256, offer.sha256],
    ["Git id", file.blobId, offer.blobId],
  ] as const;
  const different = pairs.find(([, planned, listed]) => planned !== undefined && listed !== undefined && planned !== listed);
  return different === undefined ? undefined : `planned with ${different[0]} ${different[1]}, the hub lists ${different[2]} at the same commit`;
}

function listedFile(file: UpstreamFile, offer: HubFile): WantedFile {
  const { path, size } = file;
  if (offer.sha256 !== undefined) return { path, size, etag: offer.sha256, sha256: offer.sha256 };
  return { path, size, etag: offer.blobId, gitId: offer.blobId, ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }) };
}

function unlisted({ path, size, sha256, blobId }: UpstreamFile, request: HubPull): WantedFile {
  if (sha256 !== undefined && (blobId === undefined || isPointerId(blobId, sha256, size))) return { path, size, etag: sha256, sha256 };
  if (blobId === undefined) throw failed("invalid-input", `${path} of ${request.repo} is planned without any hash`);
  return { path, size, etag: blobId, gitId: blobId, ...(sha256 === undefined ? {} : { sha256 }) };
}
