import type { Json, JsonObject } from "../domain/json.ts";
import { isNullString, readCount, readFlag, readNumber, readObject, readText, readTexts, type FieldProblem, type Report } from "./decode-fields.ts";
import type { RegistryArtifacts, RegistryBackendConfig, RegistryEntry, RegistryPerformance, RegistryVersionLock } from "./entry.ts";
import { isJsonObject } from "./json-text.ts";

/** An entry as it was read: complete, or unusable with the reasons; `sparse` has only the keys that were written, for laying over another layer. */
export type DecodedEntry =
  | { readonly state: "usable"; readonly entry: RegistryEntry; readonly sparse: JsonObject; readonly problems: readonly FieldProblem[] }
  | { readonly state: "bad"; readonly name?: string; readonly problems: readonly FieldProblem[] };

/** Reads one entry of any era. Never throws. */
export function decodeEntry(value: Json): DecodedEntry {
  const problems: FieldProblem[] = [];
  if (!isJsonObject(value))
    return {
      state: "bad",
      problems: [{ severity: "error", code: "registry.wrong-type", key: "", reason: "the entry is not an object" }],
    };
  const report: Report = (problem) => problems.push(problem);
  const entry = readEntry(value, report);
  const bad = problems.some((problem) => problem.severity === "error");
  if (bad) return { state: "bad", ...(entry.name === "" ? {} : { name: entry.name }), problems };
  return { state: "usable", entry, sparse: { ...withoutNullStrings(value), name: entry.name }, problems };
}

function readEntry(object: JsonObject, report: Report): RegistryEntry {
  const name = required(object["name"], "name", report);
  const text = (key: string): string | null => readText(object[key], key, report) ?? null;
  const served = text("served_model_id");
  const known = {
    name,
    display_name: text("display_name") ?? name,
    backend: required(object["backend"], "backend", report),
    backend_config: readBackendConfig(object["backend_config"], report),
    capabilities: readCapabilities(object["capabilities"], report),
    generation_defaults: readObject(object["generation_defaults"], "generation_defaults", report),
    artifacts: readArtifacts(object["artifacts"], report),
    chat_template: readChatTemplate(object["chat_template"], report),
    version_lock: readVersionLock(object["version_lock"], report),
    performance: readPerformance(object["performance"], report),
    probes: readProbes(object["probes"], report),
    profiles_placeholder: object["profiles_placeholder"] ?? null,
    metadata: readObject(object["metadata"], "metadata", report, true),
    ...(served === null ? {} : { served_model_id: served }),
    model_aliases: readTexts(object["model_aliases"], "model_aliases", report, true),
    roles: readTexts(object["roles"], "roles", report, true),
    license: text("license"),
    source: isJsonObject(object["source"]) ? object["source"] : null,
    deprecated: readFlag(object["deprecated"], "deprecated", report),
    family: text("family"),
    source_provider: text("source_provider"),
    quantization: text("quantization"),
    backend_alternatives: readTexts(object["backend_alternatives"], "backend_alternatives", report),
    role_priority: readPriorities(object["role_priority"], report),
    download_format: text("download_format"),
    download_location: text("download_location"),
    download_path: text("download_path"),
    download_size_bytes: readCount(object["download_size_bytes"], "download_size_bytes", report) ?? null,
    download_files: readTexts(object["download_files"], "download_files", report),
    download_directory_checksum: text("download_directory_checksum"),
    downloaded_at: text("downloaded_at"),
    last_accessed: text("last_accessed"),
  };
  const unknown = Object.entries(object).filter(([key]) => !Object.hasOwn(known, key) && key !== "served_model_id");
  return { ...known, ...Object.fromEntries(unknown) };
}

function required(value: Json | undefined, key: string, report: Report): string {
  if (typeof value === "string" && value.trim() !== "") return value.trim();
  report({ severity: "error", code: "registry.missing-key", key, reason: `${key} is missing or empty` });
  return "";
}

function readBackendConfig(value: Json | undefined, report: Report): RegistryBackendConfig {
  const object = readObject(value, "backend_config", report, true);
  if (object["port"] === null)
    report({
      severity: "warning",
      code: "registry.null-value",
      key: "backend_config/port",
      reason: "backend_config.port is null, on which ImageWorks stops",
    });
  return {
    ...object,
    port: readCount(object["port"], "backend_config/port", report) ?? 0,
    model_path: readText(object["model_path"], "backend_config/model_path", report) ?? "",
    extra_args: readTexts(object["extra_args"], "backend_config/extra_args", report),
  };
}

function readCapabilities(value: Json | undefined, report: Report): Readonly<Record<string, boolean>> {
  const object = readObject(value, "capabilities", report);
  return Object.fromEntries(Object.entries(object).map(([key, flag]) => [key, flag === true || flag === 1 || flag === "true"]));
}

function readArtifacts(value: Json | undefined, report: Report): RegistryArtifacts {
  const object = readObject(value, "artifacts", report, true);
  const files = object["files"];
  const list: readonly Json[] = Array.isArray(files) ? files : [];
  if (files === null)
    report({
      severity: "warning",
      code: "registry.null-value",
      key: "artifacts/files",
      reason: "artifacts.files is null, on which ImageWorks stops",
    });
  else if (files !== undefined && !Array.isArray(files))
    report({
      severity: "error",
      code: "registry.wrong-type",
      key: "artifacts/files",
      reason: "artifacts.files is not a list",
    });
  const known = list.filter(isJsonObject).flatMap((file) => {
    const { path, sha256 } = file;
    return typeof path === "string" ? [{ ...file, path, sha256: typeof sha256 === "string" ? sha256 : "" }] : [];
  });
  return { ...object, aggregate_sha256: readText(object["aggregate_sha256"], "artifacts/aggregate_sha256", report) ?? "", files: known };
}

function readChatTemplate(value: Json | undefined, report: Report): RegistryEntry["chat_template"] {
  const object = readObject(value, "chat_template", report, true);
  const text = (key: string): string | undefined => readText(object[key], `chat_template/${key}`, report);
  return { ...object, source: text("source") ?? "embedded", path: text("path") ?? null, sha256: text("sha256") ?? null };
}

function readVersionLock(value: Json | undefined, report: Report): RegistryVersionLock {
  const object = readObject(value, "version_lock", report, true);
  const expected = readText(object["expected_aggregate_sha256"], "version_lock/expected_aggregate_sha256", report);
  const verified = readText(object["last_verified"], "version_lock/last_verified", report);
  return {
    ...object,
    locked: readFlag(object["locked"], "version_lock/locked", report),
    expected_aggregate_sha256: expected ?? null,
    last_verified: verified ?? null,
  };
}

function readPerformance(value: Json | undefined, report: Report): RegistryPerformance {
  const object = readObject(value, "performance", report, true);
  const sample = object["last_sample"];
  return {
    ...object,
    rolling_samples: readCount(object["rolling_samples"], "performance/rolling_samples", report) ?? 0,
    ttft_ms_avg: readNumber(object["ttft_ms_avg"], "performance/ttft_ms_avg", report),
    throughput_toks_per_s_avg: readNumber(object["throughput_toks_per_s_avg"], "performance/throughput_toks_per_s_avg", report),
    last_sample: isJsonObject(sample) ? sample : null,
  };
}

function readProbes(value: Json | undefined, report: Report): RegistryEntry["probes"] {
  const object = readObject(value, "probes", report, true);
  const vision = object["vision"];
  return { ...object, vision: isJsonObject(vision) ? vision : null };
}

function readPriorities(value: Json | undefined, report: Report): Readonly<Record<string, number>> {
  const object = readObject(value, "role_priority", report);
  return Object.fromEntries(Object.entries(object).map(([role, priority]) => [role, readCount(priority, `role_priority/${role}`, report) ?? 0]));
}

/** Keys whose text "None" means nothing, wherever they stand. */
const nullable = new Set([
  "served_model_id",
  "display_name",
  "license",
  "family",
  "quantization",
  "source_provider",
  "download_path",
  "aggregate_sha256",
  "expected_aggregate_sha256",
  "model_path",
]);

function withoutNullStrings(object: JsonObject): JsonObject {
  const clean = (key: string, value: Json): Json => {
    if (typeof value === "string") return nullable.has(key) && isNullString(value) ? null : value;
    return isJsonObject(value) && key !== "metadata" ? withoutNullStrings(value) : value;
  };
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, clean(key, value)]));
}
