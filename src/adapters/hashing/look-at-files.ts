import { statSync, type BigIntStats } from "node:fs";
import { failed, type Failure } from "../../domain/failure.ts";
import type { ArtifactState } from "../../domain/observed.ts";
import type { FileToInspect } from "../../ports/file-hasher.ts";
import { createPause, isAbsence, systemErrorOf } from "./hash-file.ts";

/** What a look at the directory entry tells: either the final word on the file, or its stats for a closer look. */
export type Look = { readonly state: "there"; readonly stats: BigIntStats } | { readonly state: "told"; readonly artifact: ArtifactState };

/** Looks at every file without opening it. Blocking calls are twice as fast here as the thread pool; pauses keep the event loop alive. */
export async function lookAtFiles(files: readonly FileToInspect[], signal: AbortSignal): Promise<readonly Look[]> {
  const pause = createPause();
  const looks: Look[] = [];
  for (const file of files) {
    const paused = pause();
    if (paused !== undefined) await paused;
    signal.throwIfAborted();
    looks.push(lookAt(file));
  }
  return looks;
}

/** The failure of a file that is there and cannot be read. */
export function unreadable(path: string, errno: string): Failure {
  if (errno === "EACCES" || errno === "EPERM") {
    return failed("permission", `could not read ${path}: permission denied (${errno})`, { remedy: "give this user access to it" }).failure;
  }
  return failed("unexpected", `could not read ${path}: ${errno}`).failure;
}

function lookAt({ path, size }: FileToInspect): Look {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return told({ state: "missing" });
    if (!stats.isFile()) return told({ state: "unreadable", failure: failed("unsupported", `${path} is not a regular file`).failure });
    if (size !== undefined && Number(stats.size) !== size) return told({ state: "incomplete", size: Number(stats.size) });
    return { state: "there", stats };
  } catch (error) {
    const errno = systemErrorOf(error);
    if (errno === undefined) throw error;
    return told(isAbsence(errno) ? { state: "missing" } : { state: "unreadable", failure: unreadable(path, errno) });
  }
}

function told(artifact: ArtifactState): Look {
  return { state: "told", artifact };
}
