import type { Backend } from "./backend.ts";
import type { Model } from "./model.ts";
import type { Policy } from "./policy.ts";
import type { Role } from "./role.ts";

/** Which state of the manifests a result speaks about. */
export interface Revision {
  /** Git commit, or undefined outside a repository. */
  readonly commit?: string;
  /** True when the working tree differs from the commit in the files that were read. */
  readonly dirty: boolean;
  /** SHA-256 over all files read (sorted `path \0 sha256 \n`): identifies the input even without Git. */
  readonly digest: string;
}

/** Everything that the manifests say, decoded, each list sorted by name. */
export interface DesiredState {
  readonly revision: Revision;
  readonly models: readonly Model[];
  readonly roles: readonly Role[];
  readonly backends: readonly Backend[];
  readonly policies: readonly Policy[];
}
