import type { Diagnostic } from "../domain/diagnostic.ts";
import type { RegistryEntry } from "./entry.ts";
import { ownRecordOf } from "./own-record.ts";

/** Entries of which no two look like the same download, and those that do in spite of it. */
export interface UniqueDownloads {
  readonly entries: readonly RegistryEntry[];
  readonly findings: readonly Diagnostic[];
}

/**
 * Makes the triple of backend, path and hash unique, by which ImageWorks recognises a download: it refuses to update one of two entries that share
 * it. The same tag on two Ollama servers is told apart by the name of the backend; two manifests for the same files can only be reported.
 */
export function uniqueDownloads(entries: readonly RegistryEntry[]): UniqueDownloads {
  const seen = new Map<string, RegistryEntry>();
  const findings: Diagnostic[] = [];
  const unique = entries.map((entry) => {
    const twin = seen.get(downloadKey(entry));
    if (entry.download_path === null || twin === undefined) {
      seen.set(downloadKey(entry), entry);
      return entry;
    }
    const store = ownRecordOf(entry)?.store;
    if (store !== undefined && store !== ownRecordOf(twin)?.store && entry.download_path.startsWith("ollama:/")) {
      return { ...entry, download_path: entry.download_path.replace("ollama:/", `ollama:/${store.slice("ollama:".length)}/`) };
    }
    const message = `${entry.name} and ${twin.name} are the same download (${entry.download_path})`;
    findings.push({ severity: "warning", code: "registry.same-download", message, remedy: "declare it once, with the other name under `aliases`" });
    return entry;
  });
  return { entries: unique, findings };
}

function downloadKey(entry: RegistryEntry): string {
  const path = entry.download_path ?? "";
  const checksum = entry.download_directory_checksum || entry.artifacts.aggregate_sha256;
  return [entry.backend, path.startsWith("ollama:") ? path.toLowerCase() : path, checksum].join("\n");
}
