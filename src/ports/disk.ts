/** The one way in which adapters put bytes on disk so that a crash at any line leaves either the old or the new state. */
export interface Disk {
  /** Temp file in the same folder (`O_EXCL`), write, fsync, rename, fsync of the folder. Creates missing folders. */
  writeDurable(path: string, data: string | Uint8Array, options?: { readonly mode?: number }): Promise<void>;
  /** Moves a finished temp file to its final name: fsync file, chmod, rename, fsync of the folder. Same file system only. */
  promote(temporary: string, final: string, options?: { readonly mode?: number }): Promise<void>;
  /** Symbolic link with exactly this target text, made under a temporary name and renamed over whatever link or file was there. */
  link(target: string, path: string): Promise<void>;
  /** A name in the folder of `final` for an unfinished write, recognisable by `removeLeftovers`. */
  temporaryName(final: string): string;
  /** Removes unfinished writes of dead processes in one folder; returns how many. */
  removeLeftovers(folder: string): Promise<number>;
  /**
   * Joins a relative path from outside to a root. Throws HoldfastError `unsafe-path` when the path is unsafe (see `unsafePathReason`) or when an existing
   * parent leads out of the root through a symbolic link.
   */
  contained(root: string, relative: string): Promise<string>;
  /** Free bytes for an unprivileged writer on the file system of the nearest existing parent; undefined when that cannot be told. */
  freeBytes(path: string): Promise<number | undefined>;
  /**
   * Moves files (or hard-links and copies, across file systems) below a new folder of the quarantine root with a small JSON note, and returns that folder.
   * `keep: "copy"` leaves the originals in place.
   */
  quarantine(
    files: readonly { readonly from: string; readonly as: string }[],
    note: Readonly<Record<string, string>>,
    keep: "move" | "copy",
  ): Promise<string>;
}
