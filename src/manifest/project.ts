import type { Backend } from "../domain/backend.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Model } from "../domain/model.ts";
import type { Policy } from "../domain/policy.ts";
import type { Kind } from "../domain/resource.ts";
import type { Role } from "../domain/role.ts";
import type { Declared } from "./decode-context.ts";

/** Every manifest that could be decoded, and what is known of those that could not. */
export interface Project {
  readonly models: readonly Declared<Model>[];
  readonly roles: readonly Declared<Role>[];
  readonly backends: readonly Declared<Backend>[];
  readonly policies: readonly Declared<Policy>[];
  /** Names of manifests that have errors of their own, so that nobody is told that they do not exist. */
  readonly broken: ReadonlyMap<Kind, ReadonlySet<string>>;
  /** False when a file could not be read at all: what seems absent may be in it. */
  readonly complete: boolean;
}

/** A rule over all manifests together. */
export type Check = (project: Project) => readonly Diagnostic[];

/** The name of a decoded manifest. */
export function nameOf(declared: Declared<{ readonly metadata: { readonly name: string } }>): string {
  return declared.value.metadata.name;
}

/** Where a decoded manifest is, for messages about another one. */
export function whereOf(declared: Declared<{ readonly metadata: Model["metadata"] }>): string {
  const { file, line } = declared.value.metadata.location;
  return `${file}:${line}`;
}

/** True when a name that is not among the decoded ones may still exist. */
export function mayExist(project: Project, kind: Kind, name: string): boolean {
  return !project.complete || project.broken.get(kind)?.has(name) === true;
}
