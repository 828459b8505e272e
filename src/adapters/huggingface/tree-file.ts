import { isSha256 } from "../../domain/digest.ts";
import { compareText } from "../../domain/diagnostic.ts";
import { fieldsOf, isSize, type HubFile } from "./hub-decode.ts";
import { isCommit } from "./hub-id.ts";

/** Size of the largest list that is read. */
export const treeFileLimit = 64 * 1024 * 1024;

/**
 * The list of files of a commit as the Python client keeps it, byte for byte: files sorted by path, one space of indentation, ASCII escapes,
 * no final newline. With it an offline client notices that a file is missing.
 */
export function encodeTreeFile(files: readonly HubFile[]): string {
  if (files.length === 0) return '{\n "format_version": 1,\n "files": {}\n}';
  const entries = files.toSorted((a, b) => compareCodePoints(a.path, b.path)).map((file) => `  ${quote(file.path)}: {\n${fieldLines(file)}\n  }`);
  return `{\n "format_version": 1,\n "files": {\n${entries.join(",\n")}\n }\n}`;
}

function fieldLines({ size, blobId, sha256, xetHash }: HubFile): string {
  const lines = [`"size": ${size}`, `"blob_id": ${quote(blobId)}`];
  if (sha256 !== undefined) lines.push(`"lfs_sha256": ${quote(sha256)}`, `"lfs_size": ${size}`);
  if (xetHash !== undefined) lines.push(`"xet_hash": ${quote(xetHash)}`);
  return lines.map((line) => `   ${line}`).join(",\n");
}

function quote(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) || compareText(a, b);
}

/** Undefined for anything that is not a list this program understands; it is a cache, so it is made again then. */
export function decodeTreeFile(text: string): readonly HubFile[] | undefined {
  const fields = fieldsOf(parse(text));
  const files = fieldsOf(fields?.["files"]);
  if (fields?.["format_version"] !== 1 || files === undefined) return undefined;
  const decoded = Object.entries(files).map(([path, entry]) => decodeEntry(path, fieldsOf(entry)));
  return decoded.every((file) => file !== undefined) ? decoded : undefined;
}

function decodeEntry(path: string, entry: Readonly<Record<string, unknown>> | undefined): HubFile | undefined {
  const { size, blob_id: blobId, lfs_sha256: sha256, xet_hash: xetHash } = entry ?? {};
  if (!isSize(size) || !isHash(blobId, isCommit)) return undefined;
  return { path, size, blobId, ...(isHash(sha256, isSha256) ? { sha256 } : {}), ...(isHash(xetHash, isSha256) ? { xetHash } : {}) };
}

function isHash(value: unknown, fits: (text: string) => boolean): value is string {
  return typeof value === "string" && fits(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
