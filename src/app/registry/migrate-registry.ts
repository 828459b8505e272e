import { relative } from "node:path";
import type { Diagnostic } from "../../domain/diagnostic.ts";
import { hasErrors } from "../../domain/diagnostic.ts";
import { decodeProject } from "../../manifest/decode.ts";
import type { ProjectFiles } from "../../ports/project-source.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { usableName, type StageLists } from "../../registry/migrate-fields.ts";
import { manifestsFromRegistry } from "../../registry/migrate.ts";
import { renderManifest } from "../../registry/render-manifest.ts";
import { freeManifestPath } from "../free-manifest-path.ts";
import type { Host } from "../host.ts";
import type { Project } from "../read-project.ts";
import { fileSource, projectSource } from "./registry-sources.ts";

/** A manifest file that was written, or would be. */
export interface MigratedFile {
  readonly path: string;
  readonly kind: "Model" | "Backend";
  readonly name: string;
  readonly text: string;
}

/** What became of a registry. */
export interface RegistryMigration {
  /** Registry files that were read. */
  readonly sources: readonly string[];
  readonly manifests: readonly MigratedFile[];
  /** Entries whose model a manifest declares already. */
  readonly declared: readonly string[];
  readonly findings: readonly Diagnostic[];
  /** False when there is no registry, or none that can be read. */
  readonly usable: boolean;
}

/** What to take over. */
export interface MigrateOptions {
  /** A registry file of any era; without it the layers of this project, else its single file. */
  readonly file?: { readonly path: string; readonly text: string };
  /** Names of entries; empty = all. */
  readonly only: readonly string[];
  readonly curatedOnly: boolean;
  readonly stages: StageLists;
  readonly write: boolean;
}

/**
 * Turns registry entries that Holdfast did not write into manifests. Nothing that exists is changed, what is declared already is passed over, and
 * the project decodes afterwards as it did before: a manifest that would break it is left out and said.
 */
export async function migrateRegistry(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  options: MigrateOptions,
  signal: AbortSignal,
): Promise<RegistryMigration> {
  const source = options.file === undefined ? await projectSource(host, project) : fileSource(options.file);
  if (source.entries.length === 0 && (source.paths.length === 0 || hasErrors(source.findings)))
    return { sources: source.paths, manifests: [], declared: [], findings: source.findings, usable: false };
  const wanted = source.entries.filter((entry) => isWanted(entry.name, options, source.curated));
  const taken = namesIn(project);
  const isDeclared = (entry: RegistryEntry): boolean => taken.models.has(usableName(entry.name).toLowerCase());
  const migration = manifestsFromRegistry(
    wanted.filter((entry) => !isDeclared(entry)),
    options.stages,
  );
  const files: MigratedFile[] = [];
  for (const manifest of migration.manifests) {
    const { kind, metadata } = manifest;
    if (kind === "Backend" && taken.backends.has(metadata.name.toLowerCase())) continue;
    const name = kind === "Backend" ? `backend-${metadata.name}` : metadata.name;
    const path = await freeManifestPath(host, "migrated", { name, planned: files });
    files.push({ path, kind, name: metadata.name, text: renderManifest(manifest) });
  }
  const { kept, findings } = keepDecodable(files, await host.project.read(signal), host);
  if (options.write) for (const file of kept) await host.outputs.write(file.path, file.text);
  return {
    sources: source.paths,
    manifests: kept,
    declared: wanted.filter(isDeclared).map((entry) => entry.name),
    findings: [...source.findings, ...migration.findings, ...findings],
    usable: true,
  };
}

function isWanted(name: string, { only, curatedOnly }: MigrateOptions, curated: ReadonlySet<string> | undefined): boolean {
  if (only.length > 0 && !only.includes(name)) return false;
  return !curatedOnly || curated === undefined || curated.has(name);
}

/** Names under which models and backends are declared, in lower case. */
function namesIn({ desired }: Extract<Project, { state: "valid" }>): {
  readonly models: ReadonlySet<string>;
  readonly backends: ReadonlySet<string>;
} {
  const models = desired.models.flatMap((model) => [model.metadata.name, ...model.aliases]);
  return {
    models: new Set(models.map((name) => name.toLowerCase())),
    backends: new Set(desired.backends.map((backend) => backend.metadata.name.toLowerCase())),
  };
}

/** Leaves out what would make the project invalid: where not all of them can be taken, one after another is tried, backends first. */
function keepDecodable(
  files: readonly MigratedFile[],
  project: ProjectFiles,
  host: Host,
): { readonly kept: readonly MigratedFile[]; readonly findings: readonly Diagnostic[] } {
  const errorOf = (tried: readonly MigratedFile[]): Diagnostic | undefined => {
    const texts = tried.map(({ path, text }) => ({ path: relative(host.paths.root, path), text }));
    const { diagnostics } = decodeProject({ ...project, manifests: [...project.manifests, ...texts] }, host.decode);
    return diagnostics.find((diagnostic) => diagnostic.severity === "error");
  };
  if (errorOf(files) === undefined) return { kept: files, findings: [] };
  const kept: MigratedFile[] = [];
  const findings: Diagnostic[] = [];
  for (const file of files) {
    const error = errorOf([...kept, file]);
    if (error === undefined) kept.push(file);
    else findings.push(leftOut(file, error));
  }
  return { kept, findings };
}

function leftOut({ name }: MigratedFile, { message, remedy }: Diagnostic): Diagnostic {
  return {
    severity: "error",
    code: "migrate.left-out",
    message: `${name} got no manifest: ${message}`,
    ...(remedy === undefined ? {} : { remedy }),
  };
}
