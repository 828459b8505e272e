import { unsafePathReason } from "../domain/safe-path.ts";

/** True for `org/name` or `name` as the Hub allows it. Source: huggingface_hub `utils/_validators.py`. */
export function isHubRepo(repo: string): boolean {
  const parts = repo.split("/");
  if (parts.length > 2 || repo.length > 96 || /--|\.\./.test(repo) || /\.git$/i.test(repo)) return false;
  return parts.every((part) => /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(part));
}

/** Why a text is no branch, tag or commit, or undefined when it can be one. Source: git check-ref-format. */
export function revisionProblem(revision: string): string | undefined {
  if (revision.startsWith("-")) return "starts with -";
  if (/[\s~^:?*[\]\\\p{Cc}\p{Cf}]/u.test(revision)) return "has a character that Git does not allow in names";
  if (/\.\.|@\{|\.lock$|\/$/.test(revision)) return "is not a name that Git allows";
  return unsafePathReason(revision);
}
