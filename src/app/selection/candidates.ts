import type { DesiredState } from "../../domain/desired.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Candidate } from "../../domain/selection/candidate.ts";
import type { Model, RoleClaim } from "../../domain/model.ts";
import { normalizeCapabilities } from "../../registry/capabilities.ts";
import { endpointOf } from "../../registry/endpoint.ts";
import type { RegistryBackendConfig, RegistryEntry } from "../../registry/entry.ts";
import { isJsonObject, numberOf } from "../../registry/json-text.ts";
import { earlierNames } from "../../registry/naming-eras.ts";
import { earlierNamesIn, ownRecordOf } from "../../registry/own-record.ts";
import { backendOf } from "../../registry/subject.ts";
import { isTestingEntry } from "../../registry/testing-names.ts";

/** What candidates depend on beside their entries. */
interface Surroundings {
  readonly desired: DesiredState;
  /** JSON text of an instant by model name. */
  readonly lastUsed: ReadonlyMap<string, string>;
  /** Names of models that are not what their lock says. */
  readonly againstLock: ReadonlySet<string>;
}

/** The entries of a merged registry as selection sees them. */
export function candidatesOf(entries: readonly RegistryEntry[], { desired, lastUsed, againstLock }: Surroundings): readonly Candidate[] {
  const models = new Map(desired.models.map((model) => [model.metadata.name, model]));
  const endpoints = new Map(desired.backends.map((backend) => [urlOf(endpointOf(backend), backend.type), backend.metadata.name]));
  return entries.map((entry): Candidate => {
    const model = models.get(entry.name);
    const own = ownFacts(entry);
    const used = lastUsed.get(entry.name);
    return {
      ...statedBy(entry),
      provenance: own.provenance,
      ...(own.contextLength === undefined ? {} : { contextLength: own.contextLength }),
      ...placeOf(entry, model, { desired, endpoints }),
      ...(entry.deprecated ? { deprecated: { ...own.deprecation, ...lifecycleOf(model) } } : {}),
      ...memoryNeed(entry),
      ...(againstLock.has(entry.name) ? { againstLock: true } : {}),
      ...(used === undefined ? {} : { lastUsed: used.replaceAll('"', "") }),
    };
  });
}

function statedBy(entry: RegistryEntry): Omit<Candidate, "provenance"> {
  return {
    name: entry.name,
    displayName: entry.display_name,
    servedId: entry.served_model_id ?? entry.name,
    aliases: entry.model_aliases,
    earlierNames: [...earlierNamesIn(entry), ...earlierNames(entry)],
    roles: entry.roles.map((role): RoleClaim => ({ role, priority: entry.role_priority[role] ?? 0 })),
    capabilities: normalizeCapabilities(entry.capabilities),
    backendType: entry.backend,
    testing: isTestingEntry(entry),
    held: ownRecordOf(entry)?.state ?? "unknown",
    ...(entry.quantization === null ? {} : { quantization: entry.quantization }),
  };
}

/** The declared backend: by the manifest, else by the store, else the one at the same address. */
function placeOf(
  entry: RegistryEntry,
  model: Model | undefined,
  { desired, endpoints }: { readonly desired: DesiredState; readonly endpoints: ReadonlyMap<string, string> },
): Pick<Candidate, "backend" | "endpoint"> {
  const endpoint = endpointUrl(entry);
  const store = ownRecordOf(entry)?.store;
  const declared = backendOf({ ...(model === undefined ? {} : { model }), ...(store === undefined ? {} : { store }) }, desired.backends);
  const backend = declared?.metadata.name ?? endpoints.get(endpoint ?? "");
  return { ...(backend === undefined ? {} : { backend }), ...(endpoint === undefined ? {} : { endpoint }) };
}

function lifecycleOf(model: Model | undefined): NonNullable<Candidate["deprecated"]> {
  const { reason, replacedBy } = model?.lifecycle ?? {};
  return { ...(reason === undefined ? {} : { reason }), ...(replacedBy === undefined ? {} : { replacedBy }) };
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
  const provenance = Object.entries(objectIn(record, "provenance")).flatMap(([name, from]) =>
    typeof from === "string" ? [[name, from] as const] : [],
  );
  const contextLength = numberOf(objectIn(record, "facts")["context_length"]) ?? numberOf(metadata["ollama_context_length"]);
  const reason = objectIn(record, "deprecation")["reason"];
  return {
    provenance: Object.fromEntries(provenance),
    ...(contextLength === undefined ? {} : { contextLength }),
    deprecation: typeof reason === "string" ? { reason } : {},
  };
}

function objectIn(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  return isJsonObject(value) ? value : {};
}
