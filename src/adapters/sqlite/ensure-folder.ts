import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Makes a folder and those around it, for their owner alone. Unlike a recursive mkdir of Node it says EROFS on a read-only mount, not ENOENT. */
export function ensureFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" && dirname(path) !== path) {
      ensureFolder(dirname(path));
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } else if (code !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
