import type { DesiredState } from "../domain/desired.ts";
import { compareText, hasErrors, sortDiagnostics, type Diagnostic } from "../domain/diagnostic.ts";
import type { LockFile } from "../domain/lock.ts";
import type { Kind } from "../domain/resource.ts";
import type { ProjectFiles, TextFile } from "../ports/project-source.ts";
import { withAssumedOllama } from "./assumed-backend.ts";
import { checkBackends } from "./check-backends.ts";
import { checkModels } from "./check-models.ts";
import { checkNames } from "./check-names.ts";
import { checkPlaces } from "./check-places.ts";
import { checkRoles } from "./check-roles.ts";
import type { Declared, DecodeOptions } from "./decode-context.ts";
import { decodeDocument, type DocumentResult } from "./decode-document.ts";
import { decodeLock } from "./lock-file.ts";
import { nameOf, type Check, type Project } from "./project.ts";
import { manifestLimits, readYaml, type YamlFile } from "./read-yaml.ts";

/** Everything the project's files say. `desired` is undefined when anything is wrong: half of a desired state must never be acted on. */
export interface DecodedProject {
  readonly desired: DesiredState | undefined;
  readonly lock: LockFile;
  /** All findings, sorted by place. */
  readonly diagnostics: readonly Diagnostic[];
}

const checks: readonly Check[] = [checkNames, checkModels, checkBackends, checkRoles, checkPlaces];

/** Decodes manifests, policies and lock file, and says everything that is wrong with them at once. */
export function decodeProject(files: ProjectFiles, options: DecodeOptions): DecodedProject {
  const read = [...readAll(files.manifests, "manifests"), ...readAll(files.policies, "policies")];
  const results = read.flatMap(({ documents, folder, onlyComments }) =>
    onlyComments ? [] : documents.map((document) => decodeDocument(document, folder, options)),
  );
  const complete = files.problems.length === 0 && read.every(({ diagnostics }) => diagnostics.length === 0);
  const project = withAssumedOllama(collect(results, complete), options);
  const lock = decodeLock(files.lock);
  const diagnostics = sortDiagnostics([
    ...files.problems,
    ...read.flatMap((file) => file.diagnostics),
    ...results.flatMap((result) => result.diagnostics),
    ...checks.flatMap((check) => check(project)),
    ...lock.diagnostics,
  ]);
  return { desired: hasErrors(diagnostics) ? undefined : desiredState(project, files), lock: lock.lock, diagnostics };
}

/** In the order of their paths, so that of two twins always the same one is told to go. */
function readAll<F extends "manifests" | "policies">(
  files: readonly TextFile[],
  folder: F,
): readonly (YamlFile & { readonly folder: F; readonly onlyComments: boolean })[] {
  return files
    .toSorted((a, b) => compareText(a.path, b.path))
    .map((file) => ({ ...readYaml(file, manifestLimits), folder, onlyComments: isOnlyComments(file.text) }));
}

/** A file that holds nothing but comments is a place to write in, as `init` leaves one. */
function isOnlyComments(text: string): boolean {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.some((line) => line.startsWith("#")) && lines.every((line) => line === "" || line.startsWith("#"));
}

function collect(results: readonly DocumentResult[], complete: boolean): Project {
  const declared = results.flatMap((result) => (result.declared === undefined ? [] : [result.declared]));
  const broken = new Map<Kind, Set<string>>();
  for (const { brokenName } of results)
    if (brokenName !== undefined) broken.set(brokenName.kind, (broken.get(brokenName.kind) ?? new Set()).add(brokenName.name));
  return {
    models: declared.flatMap((item) => (item.kind === "Model" ? [item] : [])),
    roles: declared.flatMap((item) => (item.kind === "Role" ? [item] : [])),
    backends: declared.flatMap((item) => (item.kind === "Backend" ? [item] : [])),
    policies: declared.flatMap((item) => (item.kind === "Policy" ? [item] : [])),
    broken,
    complete,
  };
}

function desiredState(project: Project, files: ProjectFiles): DesiredState {
  return {
    revision: files.revision,
    models: sorted(project.models),
    roles: sorted(project.roles),
    backends: sorted(project.backends),
    policies: sorted(project.policies),
  };
}

function sorted<T extends { readonly metadata: { readonly name: string } }>(declared: readonly Declared<T>[]): readonly T[] {
  return declared.toSorted((a, b) => compareText(nameOf(a), nameOf(b))).map(({ value }) => value);
}
