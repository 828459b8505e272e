import { hasErrors, type Diagnostic } from "../../domain/diagnostic.ts";
import { decodeDownloads, syncDownloads } from "../../registry/downloader.ts";
import type { Host } from "../host.ts";
import { editedTexts, writeRegistry, type RegistryOnDisk, type RegistryWrite } from "./registry-files.ts";
import type { EditOptions } from "./retire-entries.ts";

/** What taking over a downloader's manifest changed, or would change. */
export interface DownloaderSync extends RegistryWrite {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly findings: readonly Diagnostic[];
  /** False when the manifest has no usable record at all. */
  readonly usable: boolean;
}

/** Adds entries for downloads that have none and fills in what entries do not say yet. A bad record hides no other. */
export async function syncDownloader(
  host: Host,
  registry: RegistryOnDisk,
  manifest: { readonly path: string; readonly text: string },
  { write, backup }: EditOptions,
): Promise<DownloaderSync> {
  const { models, findings } = decodeDownloads(manifest.text, manifest.path);
  const { entries, created, updated, unchanged } = syncDownloads(registry.discovered, models);
  const result = { created, updated, unchanged, findings, usable: models.length > 0 || !hasErrors(findings) };
  if (!write || created.length + updated.length === 0) return { ...result, files: [], backups: [] };
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { ...result, ...(await writeRegistry(host, editedTexts(registry, sorted), backup)) };
}
