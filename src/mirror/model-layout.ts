import type { MirroredCommit } from "./mirror-file.ts";

/** One way in which models may lie in the mirrored folder. Ids, revisions and branches have been checked to be safe path parts before. */
export interface ModelLayout {
  /** Ids of all models, unsorted. */
  repositories(): Promise<readonly string[]>;
  has(repo: string): Promise<boolean>;
  /** Commits by ref name, for example `main` or `refs/pr/1`. */
  refs(repo: string): Promise<ReadonlyMap<string, string>>;
  /** The commit that a branch, ref or commit hash names, or undefined. */
  commit(repo: string, revision: string): Promise<MirroredCommit | undefined>;
}
