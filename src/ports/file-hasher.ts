import type { ArtifactState, VerificationLevel } from "../domain/observed.ts";

/** One file to look at. */
export interface FileToInspect {
  /** Absolute path of a regular file; a symbolic link is followed, the caller has checked where it leads. */
  readonly path: string;
  /** Size in bytes it ought to have; undefined = any. */
  readonly size?: number;
}

/** Hashes files with SHA-256 in worker threads and remembers results by file identity. */
export interface FileHasher {
  /**
   * States in the order of the input. `presence`: existence and size only. `stat`: plus the cached hash when the file is unchanged since it was
   * hashed (otherwise level `presence`). `full`: reads every byte. A file that changes while it is read is hashed again, then `unreadable`.
   */
  inspect(
    files: readonly FileToInspect[],
    level: VerificationLevel,
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Promise<readonly ArtifactState[]>;
}
