import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import type { RegistryEntry } from "./entry.ts";
import { fullRef } from "./match-entry.ts";
import { backendName } from "./migrate-fields.ts";
import { isPlaceholder, refOfEntry } from "./placeholder.ts";

/**
 * Joins entries that stand for one Ollama model: importers that named by metadata registered the same tag several times. The entry that a person
 * wrote stays, else the first by name; the other names become aliases, so that whoever used them still finds the model.
 */
export function joinTwins(entries: readonly RegistryEntry[], findings: Diagnostic[]): readonly RegistryEntry[] {
  const groups = Map.groupBy(entries, (entry) => keyOf(entry) ?? entry);
  return [...groups.values()].flatMap((group): readonly RegistryEntry[] => {
    const [first, ...others] = group.toSorted((a, b) => rankOf(a) - rankOf(b) || compareText(a.name, b.name));
    if (first === undefined || others.length === 0) return group;
    const names = others.map((entry) => entry.name).join(", ");
    const message = `${names} ${others.length === 1 ? "stands" : "stand"} for the same model as ${first.name} and became aliases of it`;
    findings.push({ severity: "note", code: "migrate.twin", message });
    return [others.reduce(join, first)];
  });
}

function keyOf(entry: RegistryEntry): string | undefined {
  const ref = entry.backend === "ollama" && !isPlaceholder(entry) ? refOfEntry(entry) : undefined;
  return ref === undefined ? undefined : `${backendName(entry) ?? ""}\n${fullRef(ref).toLowerCase()}`;
}

function rankOf(entry: RegistryEntry): number {
  return (entry.deprecated ? 2 : 0) + (entry.metadata["created_from_download"] === true ? 1 : 0);
}

function join(entry: RegistryEntry, twin: RegistryEntry): RegistryEntry {
  return {
    ...entry,
    model_aliases: [...new Set([...entry.model_aliases, twin.name, ...twin.model_aliases])],
    roles: [...new Set([...entry.roles, ...(twin.deprecated ? [] : twin.roles)])],
    role_priority: { ...twin.role_priority, ...entry.role_priority },
    version_lock: entry.version_lock.locked ? entry.version_lock : twin.version_lock,
  };
}
