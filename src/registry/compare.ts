import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import type { Artifact } from "../domain/digest.ts";
import type { Holding, ObservedState } from "../domain/observed.ts";
import { sameOllamaRef } from "../domain/ollama-name.ts";
import type { RegistryEntry } from "./entry.ts";
import { lockStrength, type LockStrength } from "./legacy-digests.ts";
import { fullRef, speaksAbout } from "./match-entry.ts";
import { namingEraOf, type NamingEra } from "./naming-eras.ts";
import { ownRecordOf } from "./own-record.ts";
import { isPlaceholder, refOfEntry, resolvePlaceholder } from "./placeholder.ts";
import { hiddenBecause, type ListFilter } from "./query.ts";

/** A registry beside what the stores hold. */
export interface Comparison {
  readonly entries: readonly RegistryEntry[];
  readonly observed: Pick<ObservedState, "stores">;
  /** The list that people look at; decides what counts as hidden. */
  readonly filter?: ListFilter;
}

/** Says what is wrong between a registry and the stores: generic, duplicate and stale entries, models that no list shows and why, weak locks. */
export function compareRegistry(comparison: Comparison): readonly Diagnostic[] {
  const holdings = heldIn(comparison);
  const found = [
    ...placeholders(comparison.entries, holdings),
    ...duplicates(comparison.entries),
    ...stale(comparison),
    ...holdings.flatMap((holding) => unlisted(holding, comparison)),
    ...weakLocks(comparison.entries, holdings),
  ];
  return found.toSorted((a, b) => compareText(a.code, b.code) || compareText(a.message, b.message));
}

function heldIn({ observed }: Comparison): readonly Holding[] {
  return observed.stores.flatMap((observation) => (observation.state === "observed" ? observation.holdings : []));
}

function placeholders(entries: readonly RegistryEntry[], holdings: readonly Holding[]): readonly Diagnostic[] {
  return entries.filter(isPlaceholder).map((entry): Diagnostic => {
    const ref = resolvePlaceholder(entry);
    const live = ref !== undefined && holdings.some((holding) => holding.store.startsWith("ollama:") && sameOllamaRef(fullRef(ref), holding.ref));
    const fate = ref === undefined ? "it names no model" : `it was made for ${ref}, which ${live ? "is here under that name" : "no store holds"}`;
    const message = `${entry.name} is a generic placeholder of the first import strategy: ${fate}`;
    return {
      severity: "warning",
      code: "registry.placeholder",
      message,
      remedy: "holdfast import --deprecate-placeholders, then holdfast purge-deprecated --placeholders-only",
    };
  });
}

function duplicates(entries: readonly RegistryEntry[]): readonly Diagnostic[] {
  const byRef = new Map<string, RegistryEntry[]>();
  for (const entry of entries) {
    const ref = entry.backend === "ollama" && !isPlaceholder(entry) ? refOfEntry(entry) : undefined;
    if (ref === undefined) continue;
    const key = `${ownRecordOf(entry)?.store ?? ""}\n${fullRef(ref).toLowerCase()}`;
    byRef.set(key, [...(byRef.get(key) ?? []), entry]);
  }
  return [...byRef.values()].flatMap((group): readonly Diagnostic[] => {
    const [first] = group;
    if (first === undefined || group.length < 2) return [];
    const names = group.map((entry) => `${entry.name} (${eras[namingEraOf(entry)]})`).toSorted(compareText);
    const cause = "left over from imports with different naming or from an edit by hand";
    const message = `${group.length} entries stand for ${refOfEntry(first) ?? first.name}: ${names.join(", ")}; ${cause}`;
    return [
      {
        severity: "warning",
        code: "registry.duplicate-model",
        message,
        remedy: "holdfast reset-discovered --backend ollama, then holdfast import",
      },
    ];
  });
}

const eras: Readonly<Record<NamingEra, string>> = {
  placeholder: "placeholder",
  a1: "strategy A without quantization",
  a2: "strategy A with quantization",
  simple: "simplified name",
  declared: "named by a manifest",
  unknown: "named by hand or unknown",
};

/** Only complete observations of every Ollama store prove that a model is gone. */
function stale({ entries, observed }: Comparison): readonly Diagnostic[] {
  const stores = observed.stores.filter((observation) => observation.store.startsWith("ollama:"));
  const complete = stores.flatMap((observation) => (observation.state === "observed" && observation.complete ? [observation] : []));
  if (stores.length === 0 || complete.length < stores.length) return [];
  const refs = complete.flatMap(({ holdings, unreadable }) => [...holdings, ...unreadable].map((item) => item.ref));
  const present = new Set(refs.map((ref) => ref.toLowerCase()));
  return entries.flatMap((entry): readonly Diagnostic[] => {
    const ref = entry.backend === "ollama" && !isPlaceholder(entry) && ownRecordOf(entry)?.declared !== true ? refOfEntry(entry) : undefined;
    if (ref === undefined || present.has(fullRef(ref).toLowerCase())) return [];
    const message = `${entry.name} stands for ${ref}, which no Ollama store holds any more`;
    return [{ severity: "warning", code: "registry.stale", message, remedy: "holdfast reset-discovered --backend ollama, then holdfast import" }];
  });
}

/** Why `list` does not show a model that is there. */
function unlisted(holding: Holding, { entries, filter = {} }: Comparison): readonly Diagnostic[] {
  const about = entries.filter((entry) => isOf(entry, holding));
  const real = about.filter((entry) => !isPlaceholder(entry));
  const [entry] = real;
  if (entry === undefined) {
    const [placeholder] = about;
    const cause = placeholder === undefined ? "it was not imported yet" : `only the placeholder ${placeholder.name} stands for it`;
    return [
      {
        severity: "warning",
        code: "registry.not-listed",
        message: `${holding.ref} is in ${holding.store} but has no entry: ${cause}`,
        remedy: "holdfast import",
      },
    ];
  }
  const hidden = real.every((item) => hiddenBecause(item, filter).length > 0);
  const pathless = real.every((item) => (item.download_path ?? "") === "");
  return [...(hidden ? [hiddenFinding(holding, entry, filter)] : []), ...(pathless ? [pathlessFinding(holding, entry)] : [])];
}

function isOf(entry: RegistryEntry, holding: Holding): boolean {
  const record = ownRecordOf(entry);
  return record === undefined ? speaksAbout(entry, holding) : record.uid === `${holding.store}/${holding.ref}`;
}

function hiddenFinding(holding: Holding, entry: RegistryEntry, filter: ListFilter): Diagnostic {
  const message = `${holding.ref} is listed as ${entry.name} but hidden: ${hiddenBecause(entry, filter).join(" and ")}`;
  return {
    severity: "note",
    code: "registry.hidden",
    message,
    remedy: entry.deprecated ? "holdfast list --show-deprecated" : "holdfast list --include-testing",
  };
}

function pathlessFinding(holding: Holding, entry: RegistryEntry): Diagnostic {
  const message = `${holding.ref} has the entry ${entry.name}, whose download_path is missing, so programs that list installed models pass it over`;
  return { severity: "warning", code: "registry.no-download-path", message, remedy: "holdfast rebuild-ollama fills it in" };
}

const covers: Readonly<Partial<Record<LockStrength, string>>> = {
  "download-list": "only the files of its download list",
  subset: "only configuration and tokenizer files, not the weights",
  "names-and-sizes": "only names and sizes of files, not their content",
};

function weakLocks(entries: readonly RegistryEntry[], holdings: readonly Holding[]): readonly Diagnostic[] {
  return entries.flatMap((entry): readonly Diagnostic[] => {
    const expected = entry.version_lock.locked ? entry.version_lock.expected_aggregate_sha256 : null;
    if (expected === null || expected === "") return [];
    const files = holdings.filter((holding) => speaksAbout(entry, holding)).flatMap(hashedFiles);
    const what = covers[lockStrength(expected, files, entry.download_files)];
    if (what === undefined) return [];
    return [
      {
        severity: "warning",
        code: "registry.weak-lock",
        message: `the lock of ${entry.name} covers ${what}`,
        remedy: `holdfast lock ${entry.name} --set-expected --force`,
      },
    ];
  });
}

function hashedFiles(holding: Holding): readonly Artifact[] {
  return holding.artifacts.flatMap(({ path, size, found }) => {
    const hashed = found.state === "present" && found.level !== "presence";
    return hashed ? [{ path, size, sha256: found.sha256 }] : [];
  });
}
