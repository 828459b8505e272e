import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** What the Hub client wrote down about one file that it downloaded into a plain folder. */
export interface DownloadRecord {
  readonly commit: string;
  readonly etag: string;
}

/** Size and SHA-256 of a file as its commit lists it. */
export interface ListedFile {
  readonly size: number;
  readonly sha256?: string;
}

/** Folder of the records, relative to the model; no part of the model. */
export const recordsFolder = ".cache/huggingface";

const recordSuffix = ".metadata";
const recordLimit = 1024;
const listLimit = 64 * 1024 * 1024;
const deepest = 64;

/** Records by path of the file they speak about; what cannot be read or understood is left out, it is only a hint. */
export async function readRecords(folder: string): Promise<ReadonlyMap<string, DownloadRecord>> {
  const root = join(folder, recordsFolder, "download");
  const records = new Map<string, DownloadRecord>();
  const visit = async (prefix: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, prefix), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory() && depth < deepest) await visit(path, depth + 1);
      if (!entry.isFile() || !path.endsWith(recordSuffix)) continue;
      const record = decodeRecord(await readSmall(join(root, path), recordLimit));
      if (record !== undefined) records.set(path.slice(0, -recordSuffix.length), record);
    }
  };
  await visit("", 0);
  return records;
}

function decodeRecord(text: string | undefined): DownloadRecord | undefined {
  const [commit = "", etag = "", time = ""] = text?.split("\n") ?? [];
  return /^[0-9a-f]{40}$/.test(commit) && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(etag) && Number(time) > 0 ? { commit, etag } : undefined;
}

/** The kept list of a commit, by path; empty when there is none. */
export async function readList(folder: string, commit: string): Promise<ReadonlyMap<string, ListedFile>> {
  const text = await readSmall(join(folder, recordsFolder, "trees", `${commit}.json`), listLimit);
  const files = fieldsOf(fieldsOf(parse(text))?.["files"]) ?? {};
  return new Map(Object.entries(files).flatMap(([path, entry]) => listedFile(fieldsOf(entry)).map((file) => [path, file] as const)));
}

function listedFile(entry: Readonly<Record<string, unknown>> | undefined): readonly ListedFile[] {
  const size = entry?.["size"];
  const sha256 = entry?.["lfs_sha256"];
  if (typeof size !== "number" || !Number.isSafeInteger(size)) return [];
  return [{ size, ...(typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) ? { sha256 } : {}) }];
}

async function readSmall(path: string, limit: number): Promise<string | undefined> {
  const handle = await open(path, "r").catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const found = await handle.stat();
    return found.isFile() && found.size <= limit ? await handle.readFile("utf8") : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}
