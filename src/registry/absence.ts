import { compareText } from "../domain/diagnostic.ts";
import type { RegistryEntry } from "./entry.ts";
import { isPlaceholder, placeholderPrefix, resolvePlaceholder } from "./placeholder.ts";
import { findEntry, hiddenBecause, type ListFilter } from "./query.ts";

/** Why a name leads to no model that may be used, and what to do about it. */
export interface Absence {
  readonly kind: "absent" | "filtered" | "placeholder" | "ambiguous";
  readonly message: string;
  readonly remedy: string;
  /** Names that may have been meant, best first. */
  readonly nearest: readonly string[];
}

/** Explains why a name cannot be used under a filter; undefined when it can. */
export function describeAbsence(entries: readonly RegistryEntry[], name: string, filter: ListFilter = {}): Absence | undefined {
  const found = findEntry(entries, name);
  if (found.state === "absent") return name.startsWith(placeholderPrefix) ? goneForGood(name) : unheardOf(entries, name);
  if (found.state === "ambiguous") {
    const names = found.entries.map((entry) => entry.name).toSorted(compareText);
    return {
      kind: "ambiguous",
      message: `${JSON.stringify(name)} could mean ${names.join(" or ")}`,
      remedy: "use one of these names",
      nearest: names,
    };
  }
  const { entry } = found;
  if (isPlaceholder(entry)) return placeholder(entry);
  const reasons = hiddenBecause(entry, filter);
  if (reasons.length === 0) return undefined;
  const others = alternatives(entries, entry, filter);
  return {
    kind: "filtered",
    message: `${entry.name} is in the registry but ${reasons.join(" and ")}`,
    remedy: remedyFor(entry, filter),
    nearest: others,
  };
}

function unheardOf(entries: readonly RegistryEntry[], name: string): Absence {
  const nearest = nearestNames(entries, name);
  const overview = "holdfast list shows what there is; holdfast import takes in what Ollama has pulled";
  const remedy = nearest.length === 0 ? overview : `did you mean ${nearest.join(" or ")}?`;
  return { kind: "absent", message: `no model called ${JSON.stringify(name)} is in the registry`, remedy, nearest };
}

function goneForGood(name: string): Absence {
  const message = `${JSON.stringify(name)} is a placeholder name of the first import strategy and stands for no model in particular`;
  return { kind: "placeholder", message, remedy: "holdfast list shows the models by their own names", nearest: [] };
}

function placeholder(entry: RegistryEntry): Absence {
  const ref = resolvePlaceholder(entry);
  const message = `${entry.name} is a placeholder of the first import strategy${ref === undefined ? "" : `, made for ${ref}`}`;
  return {
    kind: "placeholder",
    message,
    remedy: ref === undefined ? "holdfast purge-deprecated --placeholders-only removes it" : `use ${ref}`,
    nearest: ref === undefined ? [] : [ref],
  };
}

function remedyFor(entry: RegistryEntry, filter: ListFilter): string {
  if (entry.deprecated && filter.showDeprecated !== true) return "--show-deprecated shows it; select a model that replaces it";
  if (hiddenBecause(entry, { ...filter, includeTesting: true }).length === 0) return "--include-testing shows it";
  return "choose another model, or change its manifest after making sure that it is true";
}

/** Other entries that the filter lets through. */
function alternatives(entries: readonly RegistryEntry[], hidden: RegistryEntry, filter: ListFilter): readonly string[] {
  const usable = entries.filter((entry) => entry !== hidden && !isPlaceholder(entry) && hiddenBecause(entry, filter).length === 0);
  return usable
    .map((entry) => entry.name)
    .toSorted(compareText)
    .slice(0, 3);
}

function nearestNames(entries: readonly RegistryEntry[], name: string): readonly string[] {
  const wanted = name.toLowerCase();
  const scored = entries.flatMap((entry) => {
    const names = [entry.name, entry.served_model_id ?? entry.name, ...entry.model_aliases];
    const distance = Math.min(...names.map((candidate) => distanceTo(wanted, candidate.toLowerCase())));
    return distance <= Math.max(2, Math.floor(wanted.length / 3)) ? [{ name: entry.name, distance }] : [];
  });
  return scored
    .toSorted((a, b) => a.distance - b.distance || compareText(a.name, b.name))
    .slice(0, 3)
    .map((item) => item.name);
}

/** Edit distance; a name that contains the wanted one is near, whatever else it says. */
function distanceTo(wanted: string, candidate: string): number {
  if (wanted.length >= 3 && candidate.includes(wanted)) return 1;
  let row = Array.from({ length: candidate.length + 1 }, (_, index) => index);
  for (let i = 1; i <= wanted.length; i++) {
    const next = [i];
    for (let j = 1; j <= candidate.length; j++) {
      const same = wanted.charAt(i - 1) === candidate.charAt(j - 1) ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[candidate.length] ?? wanted.length;
}
