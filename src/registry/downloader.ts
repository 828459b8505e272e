import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { emptyEntry, encodeEntries, type RegistryEntry } from "./entry.ts";
import { isJsonObject, numberOf, parseJsonText } from "./json-text.ts";

/** One model as the downloader's `models.json` records it. */
export interface DownloadedModel {
  /** As on the Hub, for example `org/name@branch`. */
  readonly modelName: string;
  readonly path: string;
  readonly format?: string;
  /** Bytes. */
  readonly size?: number;
  readonly checksum?: string;
  readonly files: readonly { readonly path: string; readonly size?: number }[];
}

/** Reads the downloader's manifest: an object of records by id. A record that cannot be used becomes a finding. */
export function decodeDownloads(
  text: string,
  file: string,
): { readonly models: readonly DownloadedModel[]; readonly findings: readonly Diagnostic[] } {
  const findings: Diagnostic[] = [];
  const records = recordsOf(text, file, findings);
  const models = Object.entries(records).flatMap(([id, record]): readonly DownloadedModel[] => {
    const model = modelOf(record);
    if (model === undefined)
      findings.push({
        severity: "error",
        code: "downloads.bad-record",
        message: `${file}: record ${id} has no model_name or no path`,
        pointer: `/${id}`,
      });
    return model === undefined ? [] : [model];
  });
  return { models: models.toSorted((a, b) => compareText(a.modelName, b.modelName) || compareText(a.path, b.path)), findings };
}

function recordsOf(text: string, file: string, findings: Diagnostic[]): JsonObject {
  try {
    const value = parseJsonText(text);
    if (isJsonObject(value)) return value;
    findings.push({ severity: "error", code: "downloads.not-an-object", message: `${file} is not an object of downloads` });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    findings.push({ severity: "error", code: "downloads.not-json", message: `${file} is not JSON: ${error.message}` });
  }
  return {};
}

function modelOf(record: Json): DownloadedModel | undefined {
  if (!isJsonObject(record)) return undefined;
  const { model_name, path, format_type, checksum, files } = record;
  if (typeof model_name !== "string" || model_name.trim() === "" || typeof path !== "string" || path === "") return undefined;
  const size = numberOf(record["size_bytes"]);
  const listed: readonly Json[] = Array.isArray(files) ? files : [];
  return {
    modelName: model_name.trim(),
    path,
    ...(typeof format_type === "string" ? { format: format_type } : {}),
    ...(size === undefined ? {} : { size }),
    ...(typeof checksum === "string" ? { checksum } : {}),
    files: listed.flatMap(fileOf),
  };
}

function fileOf(file: Json): DownloadedModel["files"] {
  if (typeof file === "string") return [{ path: file }];
  if (!isJsonObject(file) || typeof file["path"] !== "string") return [];
  const size = numberOf(file["size"]);
  return [{ path: file["path"], ...(size === undefined ? {} : { size }) }];
}

/** What taking over downloads does to a registry. */
export interface DownloadSync {
  readonly entries: readonly RegistryEntry[];
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
}

/** Adds skeleton entries for downloads that have none, and fills in what entries do not say yet; what they say stays. */
export function syncDownloads(entries: readonly RegistryEntry[], models: readonly DownloadedModel[]): DownloadSync {
  const result = new Map(entries.map((entry) => [entry.name, entry]));
  const created = new Set<string>();
  const updated = new Set<string>();
  for (const model of models) {
    const name = entryName(model.modelName);
    const before = result.get(name);
    const after = enriched(before ?? skeleton(name, model), model);
    if (before === undefined) created.add(name);
    else if (after !== before && !created.has(name)) updated.add(name);
    result.set(name, after);
  }
  const touched = new Set(models.map((model) => entryName(model.modelName)));
  const unchanged = [...touched].filter((name) => !created.has(name) && !updated.has(name));
  return { entries: [...result.values()], created: [...created], updated: [...updated], unchanged };
}

function entryName(modelName: string): string {
  return (modelName.split("/").at(-1) ?? modelName).toLowerCase().replaceAll("@", "-");
}

function skeleton(name: string, { path, format }: DownloadedModel): RegistryEntry {
  const backend = path.startsWith("ollama:") ? "ollama" : format?.toLowerCase() === "gguf" ? "gguf" : "vllm";
  const empty = emptyEntry(name, backend);
  const { served_model_id: _served, ...rest } = empty;
  return { ...rest, backend_config: { ...empty.backend_config, model_path: path }, metadata: { created_from_download: true } };
}

function enriched(entry: RegistryEntry, model: DownloadedModel): RegistryEntry {
  const { path, format, size, checksum, files } = model;
  const filled = {
    ...entry,
    source: filledIn(entry.source, sourceOf(model)),
    download_path: entry.download_path ?? path,
    download_format: entry.download_format ?? format ?? null,
    download_size_bytes: entry.download_size_bytes ?? size ?? null,
    download_files: entry.download_files.length > 0 ? entry.download_files : files.map((file) => file.path),
    download_directory_checksum: entry.download_directory_checksum ?? checksum ?? null,
  };
  return encodeEntries([filled]) === encodeEntries([entry]) ? entry : filled;
}

function sourceOf({ modelName, path, format, size, checksum, files }: DownloadedModel): JsonObject {
  return {
    huggingface_id: modelName.replace(/@[^/]*$/, ""),
    format: format ?? null,
    path,
    size_bytes: size ?? null,
    directory_checksum: checksum ?? null,
    files: files.map((file) => ({ path: file.path, size: file.size ?? null })),
  };
}

function filledIn(before: JsonObject | null, told: JsonObject): JsonObject {
  const missing = Object.entries(told).filter(([key]) => (before?.[key] ?? null) === null);
  return { ...before, ...Object.fromEntries(missing) };
}
