import type { WantedFile } from "./wanted-file.ts";

/** A place for the bytes of one file below a root, and the place where they grow before they are proven. */
export interface Slot {
  readonly wanted: WantedFile;
  /** Where the proven bytes belong, relative to the root. */
  readonly final: string;
  /** Folder of the part, relative to the root, level by level; on the same file system as `final`. */
  readonly partFolder: readonly string[];
  /** The same for the same bytes in every run, so that a later run goes on where this one ended. The Python client deletes `.incomplete` files. */
  readonly partName: string;
  /** Permissions of the finished file. */
  readonly mode: number;
}

/** The end of the name of every part. */
export const partSuffix = ".holdfast-part";
