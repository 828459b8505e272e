import { isAbsolute } from "node:path";
import type { Failure } from "../../domain/failure.ts";
import type { Memory } from "../../domain/inventory.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { StoreId } from "../../domain/observed.ts";
import type { ProgressSink } from "../../ports/progress.ts";
import { downloadKeys, registryChanges, type RegistryChanges } from "../../registry/changes.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { ownRecordOf } from "../../registry/own-record.ts";
import type { Host } from "../host.ts";
import { observe } from "../observe.ts";
import { projectFiles } from "../publish.ts";
import { editedTexts, writeRegistry, type EditedProject, type RegistryWrite } from "./registry-files.ts";
import type { EditOptions } from "./retire-entries.ts";

/** How to normalize. */
export interface NormalizeOptions extends EditOptions {
  /** Also size, files, checksum and place, not only container and quantization. */
  readonly rebuild: boolean;
  readonly progress: ProgressSink;
}

/** What looking at the files again changed, or would change. */
export interface Normalization extends RegistryWrite {
  readonly changes: RegistryChanges;
  /** Stores that could not be looked at; their entries stay as they are. */
  readonly unknown: readonly { readonly store: StoreId; readonly failure: Failure }[];
}

const detectedKeys = ["quantization", "download_format"];

/** Detects container and quantization again. What is detected replaces, what is not detected clears nothing; nothing is renamed, added or removed. */
export async function normalizeFormats(
  host: Host,
  { project, registry }: EditedProject,
  options: NormalizeOptions,
  signal: AbortSignal,
): Promise<Normalization> {
  const desired = host.withDefaults(project.desired, "always");
  const known = withFolders(await host.state.load(), registry.discovered, host.clock.now());
  const connections = await host.connect(desired, "server", { memory: known, lock: project.lock });
  const observed = await observe(connections, { level: "stat", progress: options.progress }, host.clock, signal);
  const projection = await projectFiles(host, { project: { ...project, desired }, observed, memory: known }, registry.discovered);
  const seen = new Map(decodeRegistry(projection.discovered, "discovered").entries.map((entry) => [entry.name, entry]));
  const keys = options.rebuild ? downloadKeys : detectedKeys;
  const entries = registry.discovered.map((entry) => detected(entry, seen.get(entry.name), keys));
  const changes = registryChanges(registry.discovered, entries, keys);
  const unknown = observed.stores.flatMap((store) =>
    store.state === "unknown" && isAsked(store.store, registry.discovered) ? [{ store: store.store, failure: store.failure }] : [],
  );
  if (!options.write || changes.changed.length === 0) return { changes, unknown, files: [], backups: [] };
  return { changes, unknown, ...(await writeRegistry(host, editedTexts(registry, entries), options.backup)) };
}

/** A store that no entry speaks of may be out of sight. */
function isAsked(store: StoreId, entries: readonly RegistryEntry[]): boolean {
  return entries.some((entry) => store.startsWith("ollama:") === (entry.backend === "ollama"));
}

/** Folders that only entries of other programs name, known for this one look under the names of these entries. */
function withFolders(memory: Memory, entries: readonly RegistryEntry[], now: string): Memory {
  const folders = entries.flatMap((entry) => {
    const dir = [entry.download_path, entry.backend_config.model_path].find((path) => path !== null && isAbsolute(path));
    const foreign = ownRecordOf(entry) === undefined && entry.backend !== "ollama";
    return foreign && typeof dir === "string" ? [{ name: entry.name, store: "directory" as const, ref: dir.replace(/(?<=.)\/+$/, "") }] : [];
  });
  return {
    ...memory,
    discovered: [...memory.discovered, ...folders.map((folder) => ({ ...folder, firstSeen: now }))],
    inventory: [
      ...memory.inventory,
      ...folders.map((folder) => ({ ...folder, origin: "adopted" as const, since: now, sizeBytes: 0, protect: true })),
    ],
  };
}

function detected(entry: RegistryEntry, seen: JsonObject | undefined, keys: readonly string[]): RegistryEntry {
  if (seen === undefined) return entry;
  const said = keys.filter((key) => isSaid(seen[key], entry.backend));
  return { ...entry, ...Object.fromEntries(said.map((key) => [key, seen[key]])) };
}

/** ImageWorks takes an Ollama entry for valid only with an empty checksum and no files; elsewhere empty says nothing. */
function isSaid(value: Json | undefined, backend: string): boolean {
  if (value === null || value === undefined) return false;
  return backend === "ollama" || (value !== "" && !(Array.isArray(value) && value.length === 0));
}
