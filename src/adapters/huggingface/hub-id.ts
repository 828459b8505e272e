/** A snapshot in the Hub cache: `org/name@<commit>`. */
export interface HubRef {
  readonly repo: string;
  readonly commit: string;
}

const segment = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;
const folderPrefix = "models--";

/** True for 40 lower-case hex digits. */
export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** The rule of the Hub for repository names; what passes is safe as a folder name and unescaped in an address. */
export function isRepoId(text: string): boolean {
  const parts = text.split("/");
  return parts.length <= 2 && !text.includes("--") && !text.includes("..") && parts.every((part) => segment.test(part));
}

export function parseHubRef(ref: string): HubRef | undefined {
  const at = ref.lastIndexOf("@");
  const repo = ref.slice(0, Math.max(at, 0));
  const commit = ref.slice(at + 1);
  return isRepoId(repo) && isCommit(commit) ? { repo, commit } : undefined;
}

export function formatHubRef(ref: HubRef): string {
  return `${ref.repo}@${ref.commit}`;
}

export function folderOfRepo(repo: string): string {
  return `${folderPrefix}${repo.replaceAll("/", "--")}`;
}

/** The repository that a folder of the cache belongs to, or undefined for anything else that lies there. */
export function repoOfFolder(folder: string): string | undefined {
  if (!folder.startsWith(folderPrefix)) return undefined;
  const repo = folder.slice(folderPrefix.length).replaceAll("--", "/");
  return isRepoId(repo) ? repo : undefined;
}
