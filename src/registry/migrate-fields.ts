import { canonicalCapability } from "../domain/capability-name.ts";
import { compareText } from "../domain/diagnostic.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { canonicalCapabilities, normalizeCapabilities } from "./capabilities.ts";
import type { RegistryEntry } from "./entry.ts";
import { isJsonObject } from "./json-text.ts";
import { placeholderPrefix, refOfEntry } from "./placeholder.ts";

const backendTypes: Readonly<Record<string, string>> = {
  ollama: "ollama",
  vllm: "vllm",
  lmdeploy: "lmdeploy",
  gguf: "gguf",
  remote: "openai",
  openai: "openai",
};
const defaultPorts: Readonly<Record<string, number>> = { ollama: 11434, vllm: 24001, lmdeploy: 24001, gguf: 8080 };

/** A name that a manifest may have: as near to the given one as the rules allow. */
export function usableName(name: string): string {
  const parts = name.replaceAll(/[\s\\\p{Cc}\p{Cf}\p{Cs}]+/gu, "-").split("/");
  const plain = parts
    .filter((part) => part !== "" && part !== "." && part !== "..")
    .join("/")
    .replace(/^-+/, "");
  const real = plain.toLowerCase().startsWith(placeholderPrefix) ? `ollama-${plain}` : plain;
  return real.slice(0, 253) || "unnamed";
}

/** Where the bytes of an entry come from, or undefined when it does not say. */
export function sourceOf(entry: RegistryEntry): JsonObject | undefined {
  const ref = entry.backend === "ollama" ? refOfEntry(entry) : undefined;
  if (ref !== undefined) return { ollama: { model: ref } };
  if (entry.backend === "remote") return { remote: {} };
  const paths = [entry.download_path, entry.backend_config.model_path].filter((path) => path !== null);
  const dir = paths.find((path) => path.startsWith("/") || path.startsWith("~"));
  const repo = entry.source?.["huggingface_id"];
  if (typeof repo === "string" && /^[^/\s@]+\/[^/\s@]+$/.test(repo)) return { huggingface: hubSource(repo, dir) };
  return dir === undefined ? undefined : { path: { dir } };
}

/** A snapshot folder of the Hub cache tells the commit; any other folder is a layout of its own. */
function hubSource(repo: string, dir: string | undefined): JsonObject {
  if (dir === undefined) return { repo };
  const commit = /\/snapshots\/([0-9a-f]{40})\/?$/.exec(dir)?.[1];
  return commit === undefined ? { repo, layout: "dir", dir } : { repo, revision: commit };
}

/** The name of the Backend manifest that serves an entry; entries of one endpoint share one. */
export function backendName(entry: RegistryEntry): string | undefined {
  const type = backendTypes[entry.backend];
  if (type === undefined) return undefined;
  const { port, host, base_url } = entry.backend_config;
  if (base_url !== undefined) return slug(`${type}-${base_url.replace(/^https?:\/\//, "").replace(/\/v1\/?$/, "")}`);
  const elsewhere = host === undefined || host === "localhost" || host === "127.0.0.1" ? "" : `-${host.replace(/^https?:\/\//, "")}`;
  const unusual = port > 0 && port !== defaultPorts[entry.backend] ? `-${port}` : "";
  return slug(`${type}${elsewhere}${unusual}`);
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}

/** An endpoint that entries speak of. */
export interface SpokenBackend {
  readonly name: string;
  readonly spec: { readonly type: string; readonly url: string };
}

/** The endpoints that entries speak of, each once, by name. */
export function backendsOf(entries: readonly RegistryEntry[]): readonly SpokenBackend[] {
  const found = new Map<string, SpokenBackend>();
  for (const entry of entries) {
    const name = backendName(entry);
    if (name === undefined || found.has(name)) continue;
    found.set(name, { name, spec: { type: backendTypes[entry.backend] ?? entry.backend, url: urlOf(entry) } });
  }
  return [...found.values()].toSorted((a, b) => compareText(a.name, b.name));
}

function urlOf({ backend, backend_config: { host, port, base_url } }: RegistryEntry): string {
  if (base_url !== undefined) return base_url.replace(/\/+$/, "").replace(/\/v1$/, "");
  const name = host === undefined || host === "" ? "127.0.0.1" : host.replace(/\/+$/, "");
  if (/^https?:\/\//.test(name)) return name;
  return `http://${name}:${port > 0 ? port : (defaultPorts[backend] ?? 8000)}`;
}

export function launchOf(entry: RegistryEntry): JsonObject | undefined {
  const args = entry.backend_config.extra_args;
  const template = entry.chat_template.source === "external" ? entry.chat_template.path : null;
  if (args.length === 0 && template === null) return undefined;
  return { ...(args.length === 0 ? {} : { args }), ...(template === null ? {} : { chatTemplate: template }) };
}

/** Stage lists of the time before roles: for each stage the models that were tried, best first. They become roles with falling priority. */
export type StageLists = Readonly<Record<string, readonly string[]>>;

/** The roles of an entry, with the priorities that it states or that its place in a stage list stands for. */
export function rolesOf(entry: RegistryEntry, stages: StageLists): readonly Json[] {
  const priorities = new Map<string, number>(entry.roles.map((role) => [role, entry.role_priority[role] ?? 0]));
  const names = [entry.name, entry.served_model_id, ...entry.model_aliases];
  for (const [stage, models] of Object.entries(stages)) {
    const place = models.findIndex((model) => names.includes(model));
    if (place >= 0 && !priorities.has(stage)) priorities.set(stage, models.length - place);
  }
  return [...priorities].map(([role, priority]): Json => (priority === 0 ? role : { role, priority }));
}

/**
 * Only what a hand-written entry says the model can do: that it cannot is mostly a default, what importers wrote was guessed from names, and a
 * manifest would turn either into a decision.
 */
export function adoptedCapabilities(entry: RegistryEntry): JsonObject | undefined {
  if (entry.metadata["created_from_download"] === true) return undefined;
  const known = new Set<string>(canonicalCapabilities);
  const normal = normalizeCapabilities(entry.capabilities);
  const stated = Object.entries(normal).filter(([name, value]) => value && known.has(name) && canonicalCapability(name) === name && name !== "text");
  return stated.length === 0 ? undefined : Object.fromEntries(stated);
}

export function lifecycleOf(entry: RegistryEntry): JsonObject | undefined {
  if (!entry.deprecated) return undefined;
  const reason = isJsonObject(entry.metadata["reconciler"]) ? undefined : "deprecated in the registry that was migrated";
  return { state: "deprecated", ...(reason === undefined ? {} : { reason }) };
}
