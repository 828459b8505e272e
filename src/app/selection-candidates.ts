import type { DesiredState } from "../domain/desired.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Candidate } from "../domain/selection-candidate.ts";
import type { RoleClaim } from "../domain/model.ts";
import { normalizeCapabilities } from "../registry/capabilities.ts";
import { endpointOf } from "../registry/endpoint.ts";
import type { RegistryBackendConfig, RegistryEntry } from "../registry/entry.ts";
import { isJsonObject, numberOf } from "../registry/json-text.ts";
import { earlierNames } from "../registry/naming-eras.ts";
import { earlierNamesIn, ownRecordOf } from "../registry/own-record.ts";
import { backendOf } from "../registry/subject.ts";
import { isTestingEntry } from "../registry/testing-names.ts";

/** What candidates depend on beside their entries. */
interface Surroundings {
  readonly desired: DesiredState;
  /** JSON text of an instant by model name. */
  readonly lastUsed: ReadonlyMap<string, string>;
}

/** The entries of a merged registry as selection sees them. */
export function candidatesOf(entries: readonly RegistryEntry[], { desired, lastUsed }: Surroundings): readonly Candidate[] {
  const models = new Map(desired.models.map((model) => [model.metadata.name, model]));
  const endpoints = new Map(desired.backends.map((backend) => [urlOf(endpointOf(backend), backend.type), backend.metadata.name]));
  return entries.map((entry): Candidate => {
    const model = models.get(entry.name);
    const record = ownRecordOf(entry);
    const endpoint = endpointUrl(entry);
    const backend = backendOf({ ...(model === undefined ? {} : { model }), ...(record?.store === undefined ? {} : { store: record.store }) }, desired.backends)?.metadata.name ?? endpoints.get(endpoint ?? "");
    const own = ownFacts(entry);
    const used = lastUsed.get(entry.name);
    return {
      name: entry.name,
      displayName: entry.display_name,
      servedId: entry.served_model_id ?? entry.name,
      aliases: entry.model_aliases,
      earlierNames: [...earlierNamesIn(entry), ...earlierNames(entry)],
      roles: entry.roles.map((role): RoleClaim => ({ role, priority: entry.role_priority[role] ?? 0 })),
      capabilities: normalizeCapabilities(entry.capabilities),
      provenance: own.provenance,
      ...(own.contextLength === undefined ? {} : { contextLength: own.contextLength }),
      backendType: entry.backend,
      ...(backend === undefined ? {} : { backend }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(entry.deprecated ? { deprecated: { ...own.deprecation, ...(model?.lifecycle.reason === undefined ? {} : { reason: model.lifecycle.reason }), ...(model?.lifecycle.replacedBy === undefined ? {} : { replacedBy: model.lifecycle.replacedBy }) } } : {}),
      testing: isTestingEntry(entry),
      held: record?.state ?? "unknown",
      ...memoryNeed(entry),
      ...(entry.quantization === null ? {} : { quantization: entry.quantization }),
      ...(used === undefined ? {} : { lastUsed: used.replaceAll('"', "") }),
    };
  });
}

const defaultPorts: Readonly<Record<string, number>> = { vllm: 24001, lmdeploy: 24001, ollama: 11434, triton: 9000 };

/** Where an entry is served, in the rules of ImageWorks (requirements 2.9); undefined where nothing serves it. */
export function endpointUrl({ backend, backend_config }: Pick<RegistryEntry, "backend" | "backend_config">): string | undefined {
  const said = backend_config.base_url ?? backend_config.host ?? "";
  if (said === "" && backend_config.port <= 0 && (backend === "unassigned" || backend === "remote")) return undefined;
  return urlOf(backend_config, backend);
}

function urlOf({ base_url, host = "localhost", port }: Pick<RegistryBackendConfig, "port" | "host" | "base_url">, type: string): string {
  if (base_url !== undefined && base_url !== "") return base_url.replace(/\/+$/, "");
  if (/^https?:\/\//.test(host)) return host.replace(/\/+$/, "");
  return `http://${host}:${port > 0 ? port : (defaultPorts[type] ?? 8000)}/v1`;
}

/** A manifest may say what a model needs; else its weights are the least. */
function memoryNeed({ metadata, download_size_bytes }: RegistryEntry): { readonly vramMb?: number } {
  const said = numberOf(metadata["vram_estimate_mb"]);
  const vramMb = said ?? (download_size_bytes === null || download_size_bytes <= 0 ? undefined : Math.ceil(download_size_bytes / 1024 ** 2));
  return vramMb === undefined ? {} : { vramMb };
}

interface OwnFacts {
  readonly provenance: Readonly<Record<string, string>>;
  readonly contextLength?: number;
  readonly deprecation: { readonly reason?: string };
}

function ownFacts({ metadata }: RegistryEntry): OwnFacts {
  const record = objectIn(metadata, "reconciler");
  const provenance = Object.entries(objectIn(record, "provenance")).flatMap(([name, from]) => (typeof from === "string" ? [[name, from] as const] : []));
  const contextLength = numberOf(objectIn(record, "facts")["context_length"]) ?? numberOf(metadata["ollama_context_length"]);
  const reason = objectIn(record, "deprecation")["reason"];
  return { provenance: Object.fromEntries(provenance), ...(contextLength === undefined ? {} : { contextLength }), deprecation: typeof reason === "string" ? { reason } : {} };
}

function objectIn(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  return isJsonObject(value) ? value : {};
}
