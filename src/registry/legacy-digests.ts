import { compareText } from "../domain/diagnostic.ts";
import { aggregateSha256, sha256, type Artifact, type Sha256 } from "../domain/digest.ts";

const subsetNames = new Set(["config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "mm_projector.bin"]);

/** Digest over five well-known files in the root of a model: says nothing about the weights. Empty text when none of them is there. */
export function subsetDigest(files: readonly Pick<Artifact, "path" | "sha256">[]): Sha256 | "" {
  const digests = files.filter((file) => subsetNames.has(file.path)).map((file) => file.sha256);
  return digests.length === 0 ? "" : sha256(digests.toSorted(compareText).join(""));
}

/** The full formula over those of the listed files that exist; files that are gone do not show. */
export function downloadListDigest(files: readonly Pick<Artifact, "path" | "sha256">[], listed: readonly string[]): Sha256 {
  const wanted = new Set(listed);
  return aggregateSha256(files.filter((file) => wanted.has(file.path)));
}

/** Sixteen hex digits over names and sizes: says nothing about content. */
export function directoryChecksum(files: readonly Pick<Artifact, "path" | "size">[]): string {
  const text = files.toSorted((a, b) => compareText(a.path, b.path)).map((file) => `${file.path}${file.size}`);
  return sha256(text.join("")).slice(0, 16);
}

/** What an expected hash of an existing lock really covers. `full` is the formula that Holdfast writes. */
export type LockStrength = "full" | "download-list" | "subset" | "names-and-sizes" | "unrecognised";

/** Recognises which of the formulas in circulation produced an expected hash; all but `full` are weak locks that ought to be renewed. */
export function lockStrength(expected: string, files: readonly Artifact[], listed: readonly string[] = []): LockStrength {
  if (expected === aggregateSha256(files)) return "full";
  if (listed.length > 0 && expected === downloadListDigest(files, listed)) return "download-list";
  if (expected !== "" && expected === subsetDigest(files)) return "subset";
  return expected === directoryChecksum(files) ? "names-and-sizes" : "unrecognised";
}
