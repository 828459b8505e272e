import { isSha256 } from "../domain/digest.ts";
import { unsafePathReason } from "../domain/safe-path.ts";
import { isCommit, type ContentName } from "./mirror-file.ts";

/** A file of a commit as the cached listing of the Hub describes it. */
export interface TreeEntry {
  readonly size: number;
  readonly name: ContentName;
}

/** Decodes `trees/<commit>.json` of a Hugging Face cache, format 1; what cannot be understood is left out. */
export function decodeTree(text: string): ReadonlyMap<string, TreeEntry> {
  const value = parse(text);
  if (!isRecord(value) || value["format_version"] !== 1 || !isRecord(value["files"])) return new Map();
  const entries = new Map<string, TreeEntry>();
  for (const [path, file] of Object.entries(value["files"])) {
    const entry = decodeEntry(file);
    if (entry !== undefined && unsafePathReason(path) === undefined) entries.set(path, entry);
  }
  return entries;
}

function decodeEntry(file: unknown): TreeEntry | undefined {
  if (!isRecord(file)) return undefined;
  const { size, blob_id: oid, lfs_sha256: sha256, lfs_size: lfsSize } = file;
  if (typeof oid !== "string" || !isCommit(oid)) return undefined;
  const bytes = typeof lfsSize === "number" ? lfsSize : size;
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  return { size: bytes, name: typeof sha256 === "string" && isSha256(sha256) ? { oid, sha256 } : { oid } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
