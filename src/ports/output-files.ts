/** Writes the files that people and programs read. */
export interface OutputFiles {
  /** Durable (temp, fsync, rename, fsync of the folder); a file with the same bytes is not touched. Creates missing folders. */
  write(path: string, text: string): Promise<"written" | "unchanged">;
  read(path: string): Promise<string | undefined>;
}
