import { createHash } from "node:crypto";

/** A repository of the fake hub, made from the bytes of its files. */
export interface HubModel {
  readonly repo: string;
  readonly commit: string;
  /** Branches and tags. */
  readonly refs: Readonly<Record<string, string>>;
  readonly files: readonly HubModelFile[];
  /** Fields of the answer to the revision question, such as `gated`, `cardData`, `tags`. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface HubModelFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly sha256: string;
  /** Git id: of the pointer for LFS files, of the content for others. */
  readonly blobId: string;
  readonly lfs: boolean;
}

/** Files over 1 KiB, or with the ending of weights, are kept in LFS. */
export function hubModel(
  repo: string,
  files: Readonly<Record<string, Buffer | string>>,
  more: { facts?: HubModel["facts"]; refs?: HubModel["refs"] } = {},
): HubModel {
  const described = Object.entries(files).map(([path, content]) => hubFile(path, Buffer.from(content)));
  const commit = createHash("sha1")
    .update(described.map((file) => `${file.path} ${file.sha256}`).join("\n"))
    .digest("hex");
  return { repo, commit, refs: { main: commit, ...more.refs }, files: described, facts: more.facts ?? {} };
}

function hubFile(path: string, bytes: Buffer): HubModelFile {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const lfs = bytes.length > 1024 || /\.(safetensors|gguf|bin)$/.test(path);
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${bytes.length}\n`);
  return { path, bytes, sha256, lfs, blobId: gitId(lfs ? pointer : bytes) };
}

export function gitId(bytes: Buffer): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** Name of the blob of a file in the cache. */
export function etagOf(file: HubModelFile): string {
  return file.lfs ? file.sha256 : file.blobId;
}

/** Bytes that are the same for the same seed and do not compress. */
export function noise(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 64 < length; index++) blocks.push(createHash("sha512").update(`${seed} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}
