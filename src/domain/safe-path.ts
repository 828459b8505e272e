const windowsReserved = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i;

/**
 * Why a path that came from outside may not be joined to a root, or undefined when it may. Checked under POSIX and Windows rules on every system:
 * no absolute path, drive, UNC, backslash, empty or dot segment, control character, reserved device name, trailing dot or space, over-long segment.
 * Source: reference/ux-security-reliability.md C.3, SEC-01.
 */
export function unsafePathReason(path: string): string | undefined {
  if (path === "") return "is empty";
  if (/[\0-\x1f\x7f]/.test(path)) return "has a control character";
  if (path.includes("\\")) return "has a backslash";
  if (path.startsWith("/")) return "is absolute";
  if (/^[A-Za-z]:/.test(path)) return "starts with a drive letter";
  if (Buffer.byteLength(path) > 1024) return "is longer than 1024 bytes";
  for (const segment of path.split("/")) {
    if (segment === "") return "has an empty segment";
    if (segment === "." || segment === "..") return `has the segment "${segment}"`;
    if (Buffer.byteLength(segment) > 255) return "has a segment longer than 255 bytes";
    if (/%2e%2e|%2f|%5c/i.test(segment)) return "has an encoded separator";
    if (windowsReserved.test(segment)) return `has the reserved name "${segment}"`;
    if (/[. ]$/.test(segment)) return "has a segment that ends in a dot or space";
  }
  return undefined;
}
