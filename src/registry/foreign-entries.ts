import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Memory } from "../domain/inventory.ts";
import type { RegistryEntry } from "./entry.ts";
import { speaksAbout, speaksAboutOllama } from "./match-entry.ts";
import { ollamaTag, type Subject } from "./subject.ts";

/** What becomes of discovered entries that Holdfast did not write. */
export interface ForeignEntries {
  /** Entries that speak of a model which has an entry of its own now, by the name of that entry. */
  readonly superseded: ReadonlyMap<string, readonly RegistryEntry[]>;
  /** Entries of models that nobody knows of; they stay as they are until somebody purges or resets them. */
  readonly kept: readonly RegistryEntry[];
  readonly findings: readonly Diagnostic[];
}

/** Finds the model that each foreign entry speaks of: by reference, folder or repository, else by name. What is ambiguous is only reported. */
export function sortForeign(entries: readonly RegistryEntry[], subjects: readonly Subject[], memory: Memory): ForeignEntries {
  const superseded = new Map<string, RegistryEntry[]>();
  const kept: RegistryEntry[] = [];
  const findings: Diagnostic[] = [];
  const names = new Set(subjects.map((subject) => subject.name));
  for (const entry of entries) {
    if (memory.tombstones.some((tombstone) => tombstone.name === entry.name) && !names.has(entry.name)) continue;
    const matches = subjects.filter((subject) => isAbout(entry, subject));
    const [match] = matches;
    const target = match !== undefined && matches.length === 1 ? match.name : names.has(entry.name) ? entry.name : undefined;
    if (target === undefined) kept.push(deprecatedIf(entry, memory));
    else superseded.set(target, [...(superseded.get(target) ?? []), entry]);
    findings.push(...explain(entry, target, matches));
  }
  return { superseded, kept, findings };
}

function isAbout(entry: RegistryEntry, subject: Subject): boolean {
  if (subject.holding !== undefined) return speaksAbout(entry, subject.holding);
  const tag = ollamaTag(subject);
  return tag !== undefined && speaksAboutOllama(entry, tag);
}

function deprecatedIf(entry: RegistryEntry, memory: Memory): RegistryEntry {
  return memory.deprecations.some((deprecation) => deprecation.name === entry.name) ? { ...entry, deprecated: true } : entry;
}

function explain(entry: RegistryEntry, target: string | undefined, matches: readonly Subject[]): readonly Diagnostic[] {
  if (target === entry.name) return [];
  if (target !== undefined) {
    const message = `the entry ${entry.name} of an earlier import is superseded by ${target}; its name still finds the model`;
    return [{ severity: "note", code: "registry.superseded", message }];
  }
  if (matches.length > 1) {
    const message = `the entry ${entry.name} could mean ${matches.map((subject) => subject.name).join(" or ")}; it is left as it is`;
    return [
      {
        severity: "warning",
        code: "registry.ambiguous",
        message,
        remedy: `holdfast reset-discovered --backend ${entry.backend} --import makes one entry per model`,
      },
    ];
  }
  const message = `the entry ${entry.name} was written by another program and no store holds its model; it is left as it is`;
  return [
    {
      severity: "warning",
      code: "registry.foreign-entry",
      message,
      remedy: "holdfast purge-deprecated removes it once it is deprecated; holdfast migrate makes a manifest of it",
    },
  ];
}
