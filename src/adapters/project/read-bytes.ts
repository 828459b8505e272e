import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** The bytes of a file; its size when that is above the limit. */
export function readBytes(path: string, limit: number): Uint8Array | number | "not a file" {
  // The path has no links left; one that appears now is not followed, and a pipe does not block.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return "not a file";
    if (stats.size > limit) return stats.size;
    const buffer = Buffer.allocUnsafe(stats.size + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < buffer.length; length += count) count = readSync(file, buffer, length, buffer.length - length, null);
    // Somebody is still writing it; the next look sees more, up to the limit.
    return length > stats.size ? readBytes(path, limit) : buffer.subarray(0, length);
  } finally {
    closeSync(file);
  }
}
