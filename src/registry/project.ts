import { compareText, sortDiagnostics, type Diagnostic } from "../domain/diagnostic.ts";
import { canonicalJson, type Json, type JsonObject } from "../domain/json.ts";
import { baseEntry } from "./base-entry.ts";
import { normalizeCapabilities } from "./capabilities.ts";
import { carryOver } from "./carry.ts";
import { emptyEntry, encodeEntries, type RegistryEntry } from "./entry.ts";
import { sortForeign, type ForeignEntries } from "./foreign-entries.ts";
import { plainJson } from "./json-text.ts";
import { layerTexts } from "./layer-texts.ts";
import { overlay } from "./layers.ts";
import { manifestEntry } from "./manifest-entry.ts";
import { isOwnLayerEntry, ownRecordOf } from "./own-record.ts";
import type { ProjectionInput } from "./projection.ts";
import { readyCondition } from "./reconciler-record.ts";
import { staleEntries, staleEntry } from "./stale.ts";
import type { Subject } from "./subject.ts";
import { collectSubjects } from "./subjects.ts";
import { uniqueDownloads } from "./unique-downloads.ts";

/** The texts of the three registry files. */
export interface Projection {
  /** Undefined when somebody else wrote the curated file, which is then left alone. */
  readonly curated: string | undefined;
  readonly discovered: string;
  readonly merged: string;
  readonly findings: readonly Diagnostic[];
}

interface HandWritten {
  readonly entries: readonly RegistryEntry[];
  readonly sparse: readonly JsonObject[];
}

/**
 * Computes the registry files from manifests, observation and memory. Everything has a full entry in the discovered layer, as ImageWorks writes it
 * itself; the merged file is what ImageWorks would merge from the two layers. The merged file is never an input.
 */
export function projectRegistry(input: ProjectionInput): Projection {
  const handWritten = handWrittenOf(input);
  const { subjects, findings } = collectSubjects(input, handWritten.entries);
  const previous = input.previous?.discovered ?? [];
  const foreign = sortForeign(
    previous.filter((entry) => ownRecordOf(entry) === undefined),
    subjects,
    input.memory,
  );
  const { entries: current, findings: twins } = uniqueDownloads(currentEntries(subjects, handWritten, foreign, input));
  const stale = staleEntries(previous, [...current, ...foreign.kept], input);
  const manifests = input.desired.models.map((model) => manifestEntry(model, input.desired)).toSorted(byName);
  const layered = handWritten.sparse.length > 0;
  const discovered = [...current, ...foreign.kept, ...stale].toSorted(byName);
  return {
    curated: layered ? undefined : encodeEntries(manifests),
    ...layerTexts({ discovered, handWritten: handWritten.sparse, manifests }),
    findings: inOrder([...findings, ...twins, ...foreign.findings, ...(layered ? conflicts(handWritten, manifests) : [])]),
  };
}

function inOrder(findings: readonly Diagnostic[]): readonly Diagnostic[] {
  return sortDiagnostics(findings.toSorted((a, b) => compareText(a.message, b.message)));
}

function byName(a: JsonObject | RegistryEntry, b: JsonObject | RegistryEntry): number {
  return compareText(String(a["name"]), String(b["name"]));
}

/** A curated file is output where we wrote it and input where somebody else did. */
function handWrittenOf({ curated }: ProjectionInput): HandWritten {
  const sparse = curated?.sparse.filter((entry) => !isOwnLayerEntry(entry)) ?? [];
  const names = new Set(sparse.map((entry) => entry["name"]));
  return { sparse, entries: curated?.entries.filter((entry) => names.has(entry.name)) ?? [] };
}

function currentEntries(
  subjects: readonly Subject[],
  handWritten: HandWritten,
  foreign: ForeignEntries,
  input: ProjectionInput,
): readonly RegistryEntry[] {
  const earlierOf = earlierEntries(input.previous?.discovered ?? [], subjects);
  const written = new Map(handWritten.entries.map((entry) => [entry.name, entry]));
  return subjects.map((subject) => {
    const curated = written.get(subject.name);
    const base =
      curated !== undefined && subject.model === undefined && subject.holding === undefined
        ? curatedOnly(curated, subject)
        : baseEntry(subject, input);
    const earlier = earlierOf(base, subject);
    const seen = earlier === undefined ? base : refreshed(base, earlier);
    return (foreign.superseded.get(subject.name) ?? []).reduce(carryOver, seen);
  });
}

/**
 * Finds our own earlier entry of a model: of the same name and identity, else of the same identity under a name that is free now, else a namesake in
 * the same store.
 */
function earlierEntries(
  previous: readonly RegistryEntry[],
  subjects: readonly Subject[],
): (base: RegistryEntry, subject: Subject) => RegistryEntry | undefined {
  const own = previous.filter((entry) => ownRecordOf(entry) !== undefined);
  const inUse = new Set(subjects.map((subject) => subject.name));
  const named = new Map(own.map((entry) => [entry.name, entry]));
  const renamed = new Map(own.filter((entry) => !inUse.has(entry.name)).map((entry) => [ownRecordOf(entry)?.uid, entry]));
  return (base, subject) => {
    const uid = ownRecordOf(base)?.uid;
    const namesake = named.get(subject.name);
    const before = namesake === undefined ? undefined : ownRecordOf(namesake);
    if (before?.uid === uid && namesake !== undefined) return namesake;
    return renamed.get(uid) ?? (before?.store === subject.store && subject.holding === undefined ? namesake : undefined);
  };
}

function refreshed(base: RegistryEntry, earlier: RegistryEntry): RegistryEntry {
  const held = earlier.metadata["created_from_download"] === true;
  return ownRecordOf(base)?.state === "unknown" && held ? staleEntry(earlier, base) : carryOver(base, earlier);
}

/** A model that only a hand-written file knows: it says everything, so nothing is added but what readers need. */
function curatedOnly(curated: RegistryEntry, { absence }: Subject): RegistryEntry {
  const { name, backend, capabilities, served_model_id } = curated;
  const state = absence?.state ?? "unknown";
  const reconciler = {
    uid: `curated/${name}`,
    state,
    declared: false,
    digest: null,
    naming: "unknown",
    conditions: [readyCondition(state, absence?.reason ?? "NotHeld")],
  };
  return {
    ...emptyEntry(name, backend),
    capabilities: normalizeCapabilities(capabilities),
    served_model_id: served_model_id ?? name,
    metadata: { reconciler },
  };
}

/** Hand-written entries that say something else than the manifest of the same name; programs that merge the layers themselves would believe them. */
function conflicts(handWritten: HandWritten, manifests: readonly JsonObject[]): readonly Diagnostic[] {
  return manifests.flatMap((manifest): readonly Diagnostic[] => {
    const curated = handWritten.sparse.find((entry) => entry["name"] === manifest["name"]);
    if (curated === undefined) return [];
    const over = overlay(curated, manifest);
    const text = (value: Json | undefined): string => canonicalJson(plainJson(value ?? null));
    const keys = Object.keys(curated).filter((key) => key !== "metadata" && text(over[key]) !== text(curated[key]));
    if (keys.length === 0) return [];
    const message = `the curated entry ${String(manifest["name"])} and its manifest differ in ${keys.join(", ")}; the manifest counts`;
    return [{ severity: "warning", code: "registry.curated-conflict", message, remedy: `take ${String(manifest["name"])} out of the curated file` }];
  });
}
