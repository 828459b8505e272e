import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { decodeEntry, type DecodedEntry } from "./decode-entry.ts";
import type { FieldProblem } from "./decode-fields.ts";
import type { RegistryEntry } from "./entry.ts";
import { elementPlaces } from "./json-places.ts";
import { parseJsonText } from "./json-text.ts";
import { isPlaceholder } from "./placeholder.ts";

/** A registry file as it was read. `sparse[i]` has only the keys that `entries[i]` was written with: what a layer says, without defaults. */
export interface DecodedRegistry {
  readonly entries: readonly RegistryEntry[];
  readonly sparse: readonly JsonObject[];
  readonly findings: readonly Diagnostic[];
}

/** The kind of registry file: only in `discovered` is a repeated name normal, and the last one counts. */
export type RegistryLayer = "curated" | "discovered" | "merged";

interface Indexed {
  readonly index: number;
  readonly decoded: DecodedEntry;
}

/** Reads a registry file of any era. A bad entry becomes a finding and the rest loads; only text that is no JSON array yields nothing. */
export function decodeRegistry(text: string, file: string, layer: RegistryLayer = "discovered"): DecodedRegistry {
  const list = parseList(text, file);
  if ("finding" in list) return { entries: [], sparse: [], findings: [list.finding] };
  const all = list.values.map((value, index): Indexed => ({ index, decoded: decodeEntry(value) }));
  const { kept, repeated } = keepOnePerName(all, layer);
  const findings = [...fieldFindings(all), ...repeated];
  const usable = kept.map((item) => item.decoded).filter((decoded) => decoded.state === "usable");
  const entries = usable.map((decoded) => decoded.entry);
  return {
    entries,
    sparse: usable.map((decoded) => decoded.sparse),
    findings: [...placed(findings, text, file), ...placeholderWarning(entries, file)],
  };
}

function parseList(text: string, file: string): { readonly values: readonly Json[] } | { readonly finding: Diagnostic } {
  const location = { file, line: 1, column: 1 };
  try {
    const value = parseJsonText(text);
    if (Array.isArray(value)) return { values: value };
    return { finding: { severity: "error", code: "registry.not-a-list", message: `${file} is not a JSON array of entries`, location } };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const remedy = "repair or restore the file; nothing was read from it";
    return { finding: { severity: "error", code: "registry.not-json", message: `${file} is not JSON: ${error.message}`, location, remedy } };
  }
}

interface EntryFinding {
  readonly index: number;
  readonly name?: string;
  readonly problem: FieldProblem;
}

function fieldFindings(all: readonly Indexed[]): readonly EntryFinding[] {
  return all.flatMap(({ index, decoded }) => {
    const name = decoded.state === "usable" ? decoded.entry.name : decoded.name;
    return decoded.problems.map((problem): EntryFinding => ({ index, problem, ...(name === undefined ? {} : { name }) }));
  });
}

function keepOnePerName(
  all: readonly Indexed[],
  layer: RegistryLayer,
): { readonly kept: readonly Indexed[]; readonly repeated: readonly EntryFinding[] } {
  const kept = new Map<string, Indexed>();
  const repeated: EntryFinding[] = [];
  const lastWins = layer === "discovered";
  for (const item of all) {
    if (item.decoded.state !== "usable") continue;
    const { name } = item.decoded.entry;
    const earlier = kept.get(name);
    if (earlier === undefined || lastWins) kept.set(name, item);
    if (earlier === undefined) continue;
    const reason = `the name ${JSON.stringify(name)} was used before by entry ${earlier.index}; the ${lastWins ? "last" : "first"} one counts`;
    repeated.push({
      index: item.index,
      name,
      problem: { severity: lastWins ? "warning" : "error", code: "registry.duplicate-name", key: "name", reason },
    });
  }
  return { kept: [...kept.values()], repeated };
}

function placed(findings: readonly EntryFinding[], text: string, file: string): readonly Diagnostic[] {
  if (findings.length === 0) return [];
  const places = elementPlaces(text);
  return findings.map(({ index, name, problem }): Diagnostic => {
    const place = places[index] ?? { line: 1, column: 1 };
    const which = name === undefined ? `entry ${index}` : `entry ${index} (${name})`;
    const effect = problem.severity === "error" && problem.code !== "registry.duplicate-name" ? "; the entry is left out, the others are loaded" : "";
    const pointer = problem.key === "" ? `/${index}` : `/${index}/${problem.key}`;
    return {
      severity: problem.severity,
      code: problem.code,
      message: `${file}: ${which}: ${problem.reason}${effect}`,
      location: { file, ...place },
      pointer,
    };
  });
}

function placeholderWarning(entries: readonly RegistryEntry[], file: string): readonly Diagnostic[] {
  const names = entries.filter(isPlaceholder).map((entry) => entry.name);
  if (names.length === 0) return [];
  const count = names.length === 1 ? "a placeholder entry" : `${names.length} placeholder entries`;
  const message = `${file} has ${count} of the first import strategy, superseded by one entry per model: ${names.join(", ")}`;
  return [
    {
      severity: "warning",
      code: "registry.legacy-placeholder",
      message,
      remedy: "holdfast import --deprecate-placeholders, then holdfast purge-deprecated --placeholders-only",
    },
  ];
}

/** Splits the single-file form into layers as ImageWorks did, and says so once. */
export function splitSingleFile(
  decoded: DecodedRegistry,
  file: string,
): { readonly curated: DecodedRegistry; readonly discovered: DecodedRegistry; readonly findings: readonly Diagnostic[] } {
  const pick = (wanted: boolean): DecodedRegistry => {
    const chosen = decoded.entries.map((entry) => isGenerated(entry) === wanted);
    return { entries: decoded.entries.filter((_, index) => chosen[index]), sparse: decoded.sparse.filter((_, index) => chosen[index]), findings: [] };
  };
  const message = `${file} is a registry in the old single-file form; read as curated and discovered entries`;
  const finding: Diagnostic = {
    severity: "warning",
    code: "registry.legacy-single-file",
    message,
    remedy: "holdfast migrate writes its entries as manifests",
  };
  return { curated: pick(false), discovered: pick(true), findings: [finding] };
}

function isGenerated(entry: RegistryEntry): boolean {
  return Boolean(entry.metadata["created_from_download"]) || entry.backend === "ollama" || entry.backend === "unassigned";
}
