import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";

/** False where this user may not mount a file system. */
export function canMount(): boolean {
  const folder = mount("1m");
  if (folder === undefined) process.stderr.write("skipped: fault tests that need the right to mount a tmpfs\n");
  else unmount(folder);
  return folder !== undefined;
}

/** Mounts file systems of a given size (`2m`), and unmounts them after each test. */
export function useSmallMounts(): (size: string) => string {
  const mounted: string[] = [];
  afterEach(() => {
    for (const folder of mounted.splice(0)) unmount(folder);
  });
  return (size) => {
    const folder = mount(size);
    if (folder === undefined) throw new Error(`could not mount a tmpfs of ${size}`);
    mounted.push(folder);
    return folder;
  };
}

function mount(size: string): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mount-"));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]).status === 0) return folder;
  rmdirSync(folder);
  return undefined;
}

/** Lazily, because a test that failed may have left a file open. */
function unmount(folder: string): void {
  spawnSync("umount", ["-l", folder]);
  rmdirSync(folder);
}
