import { unsafePathReason } from "../domain/safe-path.ts";
import type { ContentNames } from "./content-names.ts";
import { hubCacheModels } from "./hub-cache-models.ts";
import type { MirroredCommit } from "./mirror-file.ts";
import type { ModelLayout } from "./model-layout.ts";
import { plainModels } from "./plain-models.ts";

/** What was found under an id and a revision. */
export type CommitLookup =
  | { readonly state: "found"; readonly commit: MirroredCommit }
  | { readonly state: "no-repository" }
  | { readonly state: "no-revision" };

/** The models of the mirrored folder, whichever way they lie there; looked up anew for every request. */
export interface Catalog {
  repositories(): Promise<readonly string[]>;
  find(repo: string, revision: string): Promise<CommitLookup>;
  /** Commits by ref name, or undefined when there is no such model. */
  refs(repo: string): Promise<ReadonlyMap<string, string> | undefined>;
}

const idPart = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}$/;

/** Opens the folder; where two layouts have the same model, the plain folder comes first. */
export function createCatalog(root: string, names: ContentNames): Catalog {
  const layouts: readonly ModelLayout[] = [plainModels(root, names), hubCacheModels(root, names)];
  return {
    repositories: async () => {
      const ids = await Promise.all(layouts.map((layout) => layout.repositories()));
      const checked = [...new Set(ids.flat())].filter(isModelId);
      const present = await Promise.all(checked.map((id) => layoutsWith(layouts, id)));
      return checked.filter((_, index) => (present[index]?.length ?? 0) > 0).toSorted();
    },
    find: async (repo, revision) => {
      const holders = isModelId(repo) ? await layoutsWith(layouts, repo) : [];
      if (holders.length === 0) return { state: "no-repository" };
      const wanted = revision === "HEAD" ? "main" : revision;
      if (unsafePathReason(wanted) !== undefined) return { state: "no-revision" };
      for (const layout of holders) {
        const commit = await layout.commit(repo, wanted);
        if (commit !== undefined) return { state: "found", commit };
      }
      return { state: "no-revision" };
    },
    refs: async (repo) => {
      const holders = isModelId(repo) ? await layoutsWith(layouts, repo) : [];
      if (holders.length === 0) return undefined;
      const refs = await Promise.all(holders.toReversed().map((layout) => layout.refs(repo)));
      return new Map(refs.flatMap((map) => [...map]));
    },
  };
}

async function layoutsWith(layouts: readonly ModelLayout[], repo: string): Promise<readonly ModelLayout[]> {
  const has = await Promise.all(layouts.map((layout) => layout.has(repo)));
  return layouts.filter((_, index) => has[index]);
}

function isModelId(id: string): boolean {
  const parts = id.split("/");
  return parts.length <= 2 && parts.every((part) => idPart.test(part));
}
