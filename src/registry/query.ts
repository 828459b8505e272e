import { compareText } from "../domain/diagnostic.ts";
import { sameOllamaRef } from "../domain/ollama-name.ts";
import { hasCapability } from "./capabilities.ts";
import type { RegistryEntry } from "./entry.ts";
import { fullRef } from "./match-entry.ts";
import { earlierNames } from "./naming-eras.ts";
import { earlierNamesIn, ownRecordOf } from "./own-record.ts";
import { isTestingEntry } from "./testing-names.ts";

/** Which entries a list shows; conditions that are left out do not count. Deprecated and test models are hidden unless asked for. */
export interface ListFilter {
  readonly role?: string;
  readonly backend?: string;
  readonly format?: string;
  readonly location?: string;
  /** All of them, under any spelling. */
  readonly capabilities?: readonly string[];
  readonly showDeprecated?: boolean;
  readonly includeTesting?: boolean;
  /** Further beginnings of test model names. */
  readonly testPatterns?: readonly string[];
}

/** Why an entry is not in a list, each reason with the value that was wanted. */
export function hiddenBecause(entry: RegistryEntry, filter: ListFilter): readonly string[] {
  const { role } = filter;
  const lacking = (filter.capabilities ?? []).filter((capability) => !hasCapability(entry.capabilities, capability));
  const reasons = [
    entry.deprecated && filter.showDeprecated !== true ? "it is deprecated" : undefined,
    filter.includeTesting !== true && isTestingEntry(entry, filter.testPatterns) ? "it is a test model" : undefined,
    role !== undefined && !entry.roles.includes(role) ? `it does not have the role ${role}` : undefined,
    differs("backend", filter.backend, entry.backend),
    differs("format", filter.format, entry.download_format),
    differs("location", filter.location, entry.download_location),
    lacking.length > 0 ? `it cannot do ${lacking.join(", ")}` : undefined,
  ];
  return reasons.filter((reason) => reason !== undefined);
}

/** Entries that do not state the property are not filtered out by it. */
function differs(what: string, wanted: string | undefined, actual: string | null): string | undefined {
  return wanted === undefined || actual === null || actual === wanted ? undefined : `its ${what} is ${actual}, not ${wanted}`;
}

/** The entries that a list shows, by display name without regard to case. */
export function listEntries(entries: readonly RegistryEntry[], filter: ListFilter = {}): readonly RegistryEntry[] {
  const shown = entries.filter((entry) => hiddenBecause(entry, filter).length === 0);
  return shown.toSorted((a, b) => compareText(a.display_name.toLowerCase(), b.display_name.toLowerCase()) || compareText(a.name, b.name));
}

/** One row of `list`, as it is printed with `-o json`. */
export interface ListRow {
  readonly name: string;
  readonly display_name: string;
  readonly backend: string;
  readonly locked: boolean;
  readonly vision: boolean;
  readonly roles: readonly string[];
  /** First 12 hex digits of the aggregate hash; empty when it is not known. */
  readonly hash: string;
  readonly deprecated: boolean;
  /** Seen complete in its store; null when that could not be told. */
  readonly installed: boolean | null;
  readonly size_bytes: number | null;
  readonly format: string | null;
  readonly quantization: string | null;
  readonly location: string | null;
  readonly family: string | null;
  readonly served_model_id: string | null;
  readonly aliases: readonly string[];
  readonly capabilities: readonly string[];
  /** What the last vision probe found; null when there was none. */
  readonly vision_ok: boolean | null;
  /** Ollama manifest digest or Hub commit. */
  readonly digest: string | null;
}

export function listRow(entry: RegistryEntry): ListRow {
  const record = ownRecordOf(entry);
  return {
    name: entry.name,
    display_name: entry.display_name,
    backend: entry.backend,
    locked: entry.version_lock.locked,
    vision: hasCapability(entry.capabilities, "vision"),
    roles: entry.roles,
    hash: entry.artifacts.aggregate_sha256.slice(0, 12),
    deprecated: entry.deprecated,
    installed: record === undefined || record.state === "unknown" ? null : record.state === "present",
    size_bytes: entry.download_size_bytes,
    format: entry.download_format,
    quantization: entry.quantization,
    location: entry.download_location,
    family: entry.family,
    served_model_id: entry.served_model_id ?? null,
    aliases: entry.model_aliases,
    capabilities: Object.keys(entry.capabilities).filter((name) => entry.capabilities[name] === true),
    vision_ok: probedVision(entry),
    digest: record?.digest ?? null,
  };
}

function probedVision({ probes }: RegistryEntry): boolean | null {
  const found = probes.vision?.["vision_ok"];
  return typeof found === "boolean" ? found : null;
}

/** By what a name led to an entry. */
export type FoundBy = "name" | "served-id" | "alias" | "earlier-name";

export type Found =
  | { readonly state: "found"; readonly entry: RegistryEntry; readonly by: FoundBy }
  | { readonly state: "ambiguous"; readonly by: FoundBy; readonly entries: readonly RegistryEntry[] }
  | { readonly state: "absent" };

const ways: readonly { readonly by: FoundBy; readonly fits: (entry: RegistryEntry, name: string) => boolean }[] = [
  { by: "name", fits: (entry, name) => entry.name === name },
  { by: "served-id", fits: (entry, name) => isServedAs(entry, name) },
  { by: "alias", fits: (entry, name) => entry.model_aliases.includes(name) },
  { by: "earlier-name", fits: (entry, name) => earlierNamesIn(entry).includes(name) || earlierNames(entry).includes(name) },
];

/**
 * Finds an entry by its name, else by what its backend calls it, else by an alias, else by a name from before. Of several, those in use go before
 * deprecated ones.
 */
export function findEntry(entries: readonly RegistryEntry[], name: string): Found {
  for (const { by, fits } of ways) {
    const fitting = entries.filter((entry) => fits(entry, name));
    const active = fitting.filter((entry) => !entry.deprecated);
    const chosen = active.length > 0 ? active : fitting;
    const [entry] = chosen;
    if (entry !== undefined) return chosen.length === 1 ? { state: "found", entry, by } : { state: "ambiguous", by, entries: chosen };
  }
  return { state: "absent" };
}

function isServedAs(entry: RegistryEntry, name: string): boolean {
  const served = entry.served_model_id;
  if (served === undefined) return false;
  return served === name || (entry.backend === "ollama" && sameOllamaRef(fullRef(served), fullRef(name)));
}
