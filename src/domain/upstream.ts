import type { Sha256 } from "./digest.ts";
import type { Failure } from "./failure.ts";

/** A file that a hub offers. Hub files that are not LFS carry only a git blob SHA-1 until they were downloaded once. */
export interface UpstreamFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, when the hub declares it (LFS and Xet files, Ollama blobs). */
  readonly sha256?: Sha256;
  /** Git blob SHA-1 (40 hex), for Hub files. */
  readonly blobId?: string;
}

/** What a registry or hub offers for one model right now. */
export type Upstream =
  | {
      readonly state: "resolved";
      readonly kind: "ollama";
      /** SHA-256 of the manifest bytes. */
      readonly digest: Sha256;
      readonly manifest: string;
      readonly files: readonly UpstreamFile[];
      /** Of the digests asked for, those the registry no longer has. */
      readonly missingBlobs: readonly Sha256[];
    }
  | {
      readonly state: "resolved";
      readonly kind: "huggingface";
      /** 40 hex digits. */
      readonly commit: string;
      readonly files: readonly UpstreamFile[];
      readonly license?: string;
      readonly gated: boolean;
    }
  | {
      readonly state: "failed";
      readonly failure: Failure;
      /** Of the locked digests, those the registry no longer has; asked also when the tag itself is gone. */
      readonly missingBlobs?: readonly Sha256[];
    };

/** Upstream facts by model name; a model is absent when nobody asked. */
export type UpstreamState = Readonly<Record<string, Upstream>>;
