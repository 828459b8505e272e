import { lstat, realpath } from "node:fs/promises";
import { dirname, join, relative, sep, isAbsolute } from "node:path";
import { failed, type HoldfastError } from "../../domain/failure.ts";
import { unsafePathReason } from "../../domain/safe-path.ts";
import { errnoOf, toDiskFailure } from "./disk-failure.ts";

/** Joins a relative path from outside to a root, or throws `unsafe-path`. */
export async function containedPath(root: string, path: string): Promise<string> {
  const reason = unsafePathReason(path);
  if (reason !== undefined) throw failed("unsafe-path", `refused the path ${JSON.stringify(path)}: it ${reason}`);
  const joined = join(root, path);
  await requireInside(root, dirname(joined));
  return joined;
}

/** Throws `unsafe-path` unless the folder, or the nearest parent of it that exists, really lies in the root. */
export async function requireInside(root: string, folder: string): Promise<void> {
  const realRoot = await realPathOf(root);
  if (realRoot === undefined) return;
  for (let place = folder; ; place = dirname(place)) {
    const real = await realPathOf(place);
    if (real !== undefined) {
      if (!isInside(realRoot, real)) throw leadsOut(root, place, real);
      return;
    }
    if (place === root || place === dirname(place)) return;
  }
}

/** True when the real path is the root or lies below it. */
export function isInside(realRoot: string, real: string): boolean {
  const way = relative(realRoot, real);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** The failure for a path whose parent is a link to somewhere else. */
export function leadsOut(root: string, place: string, real: string): HoldfastError {
  return failed("unsafe-path", `refused ${place}: a symbolic link leads out of ${root} to ${real}`, { remedy: "replace the link by a real folder" });
}

async function realPathOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ELOOP") throw failed("unsafe-path", `refused ${path}: its symbolic links run in a circle`, { cause: error });
    if (errno === "ENOENT" && !(await isDangling(path))) return undefined;
    if (errno === "ENOENT") throw failed("unsafe-path", `refused ${path}: it is a symbolic link to something that does not exist`, { cause: error });
    throw toDiskFailure(error, `could not resolve ${path}`);
  }
}

async function isDangling(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    return false;
  }
}
