import type { Revision } from "../domain/desired.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";

/** A text file as it was read. */
export interface TextFile {
  /** Path relative to the project root, `/` separators: what people see in messages. */
  readonly path: string;
  readonly text: string;
}

/** The inputs of a pass. */
export interface ProjectFiles {
  readonly revision: Revision;
  readonly manifests: readonly TextFile[];
  readonly policies: readonly TextFile[];
  readonly lock?: TextFile;
  /** A curated registry that Holdfast did not write. */
  readonly curated?: TextFile;
  /** Files that exist and could not be read (too large, not a regular file, not UTF-8, permission). */
  readonly problems: readonly Diagnostic[];
}

/** Reads manifests, policies and lock at one revision. */
export interface ProjectSource {
  read(signal: AbortSignal): Promise<ProjectFiles>;
}
