import { createHash } from "node:crypto";
import { compareText } from "./diagnostic.ts";

/** SHA-256 as 64 lower-case hex digits, without a prefix. */
export type Sha256 = string;

const sha256Pattern = /^[0-9a-f]{64}$/;

/** True for exactly 64 lower-case hex digits. */
export function isSha256(text: string): text is Sha256 {
  return sha256Pattern.test(text);
}

/** SHA-256 of a text (as UTF-8) or of bytes that are already in memory. */
export function sha256(data: string | Uint8Array): Sha256 {
  return createHash("sha256").update(data).digest("hex");
}

/** One file of a model: its path inside the model (`/` separators), size in bytes and SHA-256 of its content. */
export interface Artifact {
  readonly path: string;
  readonly size: number;
  readonly sha256: Sha256;
}

/** Identity of a set of files: SHA-256 over the lines `path \0 size \0 sha256 \n`, sorted by path (design section 3). */
export function contentDigest(artifacts: readonly Artifact[]): Sha256 {
  const lines = artifacts.toSorted((a, b) => compareText(a.path, b.path)).map((a) => `${a.path}\0${a.size}\0${a.sha256}\n`);
  return sha256(lines.join(""));
}

/**
 * The registry's aggregate hash: SHA-256 over the lines `<sha256>  <path>` (two spaces), sorted as strings, joined by `\n` without a final
 * newline. Source: ImageWorks `model_loader/hashing.py`, formula "full" (requirements 2.8).
 */
export function aggregateSha256(artifacts: readonly Pick<Artifact, "path" | "sha256">[]): Sha256 {
  const lines = artifacts.map((a) => `${a.sha256}  ${a.path}`).toSorted(compareText);
  return sha256(lines.join("\n"));
}
