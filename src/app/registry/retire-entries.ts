import type { Diagnostic } from "../../domain/diagnostic.ts";
import type { StoreId } from "../../domain/observed.ts";
import { ownRecordOf } from "../../registry/own-record.ts";
import { purgeDeprecatedEntries, resetDiscovered, type Retirement } from "../../registry/retire.ts";
import type { Host } from "../host.ts";
import type { Project } from "../read-project.ts";
import { editedTexts, writeRegistry, type RegistryOnDisk, type RegistryWrite } from "./registry-files.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** Whether to write, and whether to keep copies of the files as they were. */
export interface EditOptions {
  readonly write: boolean;
  readonly backup: boolean;
}

/** Entries that left the registry, or would leave it. */
export interface Retired extends RegistryWrite {
  readonly retired: readonly string[];
  /** Deprecated models that were left alone, because their bytes are here and a plan purges them. */
  readonly withBytes: readonly string[];
  readonly findings: readonly Diagnostic[];
}

const nothingWritten: RegistryWrite = { files: [], backups: [] };

/** Clears the discovered entries of one backend type, or of `all`. Needs no server; the next import finds again what is still there. */
export async function resetEntries(host: Host, registry: RegistryOnDisk, options: EditOptions & { readonly backend: string }): Promise<Retired> {
  return retire(host, registry, resetDiscovered(registry.discovered, options.backend), { ...options, withBytes: [] });
}

/** Removes deprecated entries that stand for no bytes, with a tombstone each so that no file brings them back. */
export async function purgeEntries(
  host: Host,
  project: ValidProject,
  registry: RegistryOnDisk,
  options: EditOptions & { readonly placeholdersOnly: boolean },
): Promise<Retired> {
  const { deprecations } = await host.state.load();
  const remembered = new Set(deprecations.map((deprecation) => deprecation.name));
  // Another program's save may have reset the flag; the decision stands.
  const entries = registry.discovered.map((entry) =>
    remembered.has(entry.name) && ownRecordOf(entry) === undefined ? { ...entry, deprecated: true } : entry,
  );
  const { placeholdersOnly } = options;
  const where = { store: placeholderStore(host, project), now: host.clock.now(), placeholdersOnly, curated: registry.handWritten };
  const withBytes = placeholdersOnly ? [] : entries.flatMap((entry) => (entry.deprecated && ownRecordOf(entry) !== undefined ? [entry.name] : []));
  return retire(host, registry, purgeDeprecatedEntries(entries, where), { ...options, withBytes });
}

/** Entries of no store in particular are remembered under the first Ollama there is. */
export function placeholderStore(host: Host, project: ValidProject): StoreId {
  const { backends } = host.withDefaults(project.desired, "always");
  return `ollama:${backends.find((backend) => backend.type === "ollama")?.metadata.name ?? "ollama"}`;
}

async function retire(
  host: Host,
  registry: RegistryOnDisk,
  { kept, retired, changes, findings }: Retirement,
  { write, backup, withBytes }: EditOptions & Pick<Retired, "withBytes">,
): Promise<Retired> {
  if (!write || retired.length === 0) return { retired, withBytes, findings, ...nothingWritten };
  await host.state.commit(changes);
  return { retired, withBytes, findings, ...(await writeRegistry(host, editedTexts(registry, kept), backup)) };
}
