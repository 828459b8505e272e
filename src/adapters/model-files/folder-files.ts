import { realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { failed } from "../../domain/failure.ts";
import { unsafePathReason } from "../../domain/safe-path.ts";
import { isRecord } from "./decode-json.ts";
import { malformed } from "./header-cursor.ts";
import { openForReading, readFailure } from "./open-file.ts";

/** The files of one model folder, opened only where their links stay inside the store. */
export interface FolderFiles {
  /** Paths relative to the folder, sorted. */
  readonly paths: readonly string[];
  has(path: string): boolean;
  /** Absolute path of a listed file; throws `unsafe-path` when a link leads out of the store. */
  locate(path: string): Promise<string>;
  /** Text of a listed file of at most that many bytes, or undefined when it is not listed. */
  text(path: string, most: number): Promise<string | undefined>;
  /** The JSON object in a listed file, or undefined when it is not listed. */
  json(path: string, most: number): Promise<Readonly<Record<string, unknown>> | undefined>;
}

/** Checks the names and finds out where links may lead. */
export async function openFolder(folder: string, paths: readonly string[], signal: AbortSignal): Promise<FolderFiles> {
  for (const path of paths) refuseUnsafe(path);
  const roots = await storeRoots(folder);
  const listed = new Set(paths);
  const locate = async (path: string): Promise<string> => {
    signal.throwIfAborted();
    const absolute = join(folder, path);
    const real = await realpath(absolute).catch((cause: unknown) => Promise.reject(readFailure(absolute, cause)));
    if (roots.some((root) => real.startsWith(root + sep))) return absolute;
    throw failed("unsafe-path", `${path}: its link leads out of the model's store`, { remedy: "replace the link by the file itself" });
  };
  const text = async (path: string, most: number): Promise<string | undefined> => {
    return listed.has(path) ? readCapped(await locate(path), path, most) : undefined;
  };
  const json = async (path: string, most: number): Promise<Readonly<Record<string, unknown>> | undefined> => {
    const source = await text(path, most);
    return source === undefined ? undefined : parseObject(source, path);
  };
  return { paths: paths.toSorted(), has: (path) => listed.has(path), locate, text, json };
}

/** Throws `unsafe-path` for a name that must not be joined to a folder. */
export function refuseUnsafe(path: string): void {
  const reason = unsafePathReason(path);
  if (reason === undefined) return;
  throw failed("unsafe-path", `the file name ${JSON.stringify(path.slice(0, 200))} ${reason}`, {
    remedy: "do not use this model; report it to its publisher",
  });
}

/** A snapshot of the Hub cache links into `blobs/` of its repository or of the whole cache. */
async function storeRoots(folder: string): Promise<readonly string[]> {
  const repository = dirname(dirname(folder));
  const inCache = basename(dirname(folder)) === "snapshots" && basename(repository).startsWith("models--");
  const candidates = inCache ? [folder, join(repository, "blobs"), join(dirname(repository), "blobs")] : [folder];
  const roots = await Promise.all(candidates.map((candidate) => realpath(candidate).catch(() => undefined)));
  return roots.filter((root) => root !== undefined);
}

async function readCapped(absolute: string, path: string, most: number): Promise<string> {
  const file = await openForReading(absolute);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw malformed(`${path} is not a regular file`);
    if (stat.size > most) throw malformed(`${path} has ${stat.size} bytes; at most ${most} are read`);
    return (await file.readFile()).toString("utf8");
  } finally {
    await file.close();
  }
}

function parseObject(source: string, path: string): Readonly<Record<string, unknown>> {
  const value = parse(source, path);
  if (!isRecord(value)) throw malformed(`${path} is not a JSON object`);
  return value;
}

function parse(source: string, path: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    throw malformed(`${path} is not JSON`);
  }
}
