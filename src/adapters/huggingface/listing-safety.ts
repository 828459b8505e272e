import { unsafePathReason } from "../../domain/safe-path.ts";
import { failed, type HoldfastError } from "../../domain/failure.ts";

/** The failure for a list of files that must not be written as it is: a path that leads elsewhere, or two that one file system would merge. */
export function unsafeListing(paths: readonly string[]): HoldfastError | undefined {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const reason = unsafePathReason(path) ?? reservedReason(path);
    if (reason !== undefined) return refuse(path, reason);
    const folded = fold(path);
    const twin = seen.get(folded);
    if (twin !== undefined) return refuse(path, `differs from ${JSON.stringify(twin)} only in letter case or Unicode form`);
    seen.set(folded, path);
  }
  for (const path of paths) {
    for (let slash = path.indexOf("/"); slash > 0; slash = path.indexOf("/", slash + 1)) {
      const parent = seen.get(fold(path.slice(0, slash)));
      if (parent !== undefined) return refuse(path, `needs a folder where the file ${JSON.stringify(parent)} is`);
    }
  }
  return undefined;
}

function refuse(path: string, reason: string): HoldfastError {
  const remedy = "leave it out with `exclude`, or use another repository";
  return failed("unsafe-path", `refused the file ${JSON.stringify(path)}: its path ${reason}`, { remedy });
}

/** Folders whose files programs trust: Git runs what lies in one, the Hub client believes what lies in the other. */
function reservedReason(path: string): string | undefined {
  const segments = fold(path).split("/");
  if (segments.includes(".git")) return "lies in a Git folder";
  return segments[0] === ".cache" && segments[1] === "huggingface" ? "lies in the folder for download records" : undefined;
}

function fold(path: string): string {
  return path.normalize("NFC").toLowerCase();
}
