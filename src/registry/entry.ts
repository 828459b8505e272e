import type { Json, JsonObject } from "../domain/json.ts";
import { encodeJsonText, type RegistryNumber } from "./json-text.ts";

/** Where and how a backend serves the model. */
export type RegistryBackendConfig = {
  readonly port: number;
  readonly model_path: string;
  readonly extra_args: readonly string[];
  readonly host?: string;
  readonly base_url?: string;
};

export type RegistryArtifacts = {
  readonly aggregate_sha256: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
};

export type RegistryVersionLock = {
  readonly locked: boolean;
  readonly expected_aggregate_sha256: string | null;
  readonly last_verified: string | null;
};

export type RegistryPerformance = {
  readonly rolling_samples: number;
  readonly ttft_ms_avg: RegistryNumber | null;
  readonly throughput_toks_per_s_avg: RegistryNumber | null;
  readonly last_sample: JsonObject | null;
};

export type RegistryChatTemplate = { readonly source: string; readonly path: string | null; readonly sha256: string | null };

/**
 * One entry of a registry file as ImageWorks writes it: these 32 keys in this order. Keys beyond them are kept when they were read and follow at the
 * end. `served_model_id` is left out rather than written as null, which ImageWorks reads as the string "None".
 */
export type RegistryEntry = {
  readonly name: string;
  readonly display_name: string;
  readonly backend: string;
  readonly backend_config: RegistryBackendConfig;
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly generation_defaults: JsonObject;
  readonly artifacts: RegistryArtifacts;
  readonly chat_template: RegistryChatTemplate;
  readonly version_lock: RegistryVersionLock;
  readonly performance: RegistryPerformance;
  readonly probes: { readonly vision: JsonObject | null };
  readonly profiles_placeholder: Json;
  readonly metadata: JsonObject;
  readonly served_model_id?: string;
  readonly model_aliases: readonly string[];
  readonly roles: readonly string[];
  readonly license: string | null;
  readonly source: JsonObject | null;
  readonly deprecated: boolean;
  readonly family: string | null;
  readonly source_provider: string | null;
  readonly quantization: string | null;
  readonly backend_alternatives: readonly string[];
  readonly role_priority: Readonly<Record<string, number>>;
  readonly download_format: string | null;
  readonly download_location: string | null;
  readonly download_path: string | null;
  readonly download_size_bytes: number | null;
  readonly download_files: readonly string[];
  readonly download_directory_checksum: string | null;
  readonly downloaded_at: string | null;
  readonly last_accessed: string | null;
};

/** An entry that says nothing but its name and backend. */
export function emptyEntry(name: string, backend: string): RegistryEntry {
  return {
    name,
    display_name: name,
    backend,
    backend_config: { port: 0, model_path: "", extra_args: [] },
    capabilities: {},
    generation_defaults: {},
    artifacts: { aggregate_sha256: "", files: [] },
    chat_template: { source: "embedded", path: null, sha256: null },
    version_lock: { locked: false, expected_aggregate_sha256: null, last_verified: null },
    performance: { rolling_samples: 0, ttft_ms_avg: null, throughput_toks_per_s_avg: null, last_sample: null },
    probes: { vision: null },
    profiles_placeholder: null,
    metadata: {},
    served_model_id: name,
    model_aliases: [],
    roles: [],
    license: null,
    source: null,
    deprecated: false,
    family: null,
    source_provider: null,
    quantization: null,
    backend_alternatives: [],
    role_priority: {},
    download_format: null,
    download_location: null,
    download_path: null,
    download_size_bytes: null,
    download_files: [],
    download_directory_checksum: null,
    downloaded_at: null,
    last_accessed: null,
  };
}

/** The 32 keys in the order in which they are written. */
export const registryKeys: readonly string[] = Object.keys(emptyEntry("", ""));

/** Puts the known keys first, in their order, and the others after them as they stand. */
export function orderKeys(entry: JsonObject): JsonObject {
  const known = registryKeys.filter((key) => Object.hasOwn(entry, key));
  const others = Object.keys(entry).filter((key) => !registryKeys.includes(key));
  return Object.fromEntries([...known, ...others].map((key) => [key, entry[key] ?? null]));
}

/** The text of a registry file; equal entries in equal order give equal bytes. */
export function encodeEntries(entries: readonly JsonObject[]): string {
  return encodeJsonText(entries.map(orderKeys));
}
