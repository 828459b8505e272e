import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import type { Model } from "../domain/model.ts";
import type { Holding, StoreId } from "../domain/observed.ts";
import { effectiveLock, findHolding, observationOf, placementOf, sameRef } from "../domain/placement.ts";
import { assignName, preferredName } from "./assign-name.ts";
import type { RegistryEntry } from "./entry.ts";
import { speaksAbout } from "./match-entry.ts";
import { refOfEntry } from "./placeholder.ts";
import type { ProjectionInput } from "./projection.ts";
import type { Subject } from "./subject.ts";
import { isTestingName } from "./testing-names.ts";

/** Every model that gets an entry, with findings about those that get none or another name than expected. */
export interface Subjects {
  readonly subjects: readonly Subject[];
  readonly findings: readonly Diagnostic[];
}

/** Collects the models: declared first, then those a hand-written curated file names, then everything else that stores hold. */
export function collectSubjects(input: ProjectionInput, curated: readonly RegistryEntry[]): Subjects {
  const models = input.desired.models.toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
  const holdings = heldModels(input);
  const held: Held = {
    exact: new Map(holdings.map((holding) => [`${holding.store}\n${holding.ref}`, holding])),
    byStore: Map.groupBy(holdings, (holding) => holding.store),
  };
  const declared = models.map((model) => declaredSubject(model, held, input));
  const named = curatedSubjects(curated, declared, { holdings, memory: input.memory });
  const others = otherSubjects(holdings, [...declared, ...named], input);
  return { subjects: [...declared, ...named, ...others.subjects], findings: others.findings };
}

/** What all stores hold, sorted, so that nothing depends on the order in which they list it. */
interface Held {
  readonly exact: ReadonlyMap<string, Holding>;
  readonly byStore: ReadonlyMap<StoreId, readonly Holding[]>;
}

function heldModels(input: ProjectionInput): readonly Holding[] {
  const holdings = input.observed.stores.flatMap((observation) => (observation.state === "observed" ? observation.holdings : []));
  return holdings.toSorted((a, b) => compareText(a.store, b.store) || compareText(a.ref, b.ref));
}

function declaredSubject(model: Model, held: Held, input: ProjectionInput): Subject {
  const { name } = model.metadata;
  const entry = input.lock === undefined ? undefined : effectiveLock(model, input.lock);
  const placement = placementOf(model, input.desired, entry);
  if (placement.kind === "remote") {
    const undecided = model.source.kind !== "remote";
    return { name, model, absence: undecided ? { state: "unknown", reason: "BackendUndecided" } : { state: "remote", reason: "Remote" } };
  }
  const { store, ref } = placement;
  const holding = held.exact.get(`${store}\n${ref ?? ""}`) ?? findHolding(model, placement, held.byStore.get(store) ?? [], input.memory);
  if (holding !== undefined) return { name, model, store, ref: holding.ref, holding };
  return { name, model, store, ...(ref === undefined ? {} : { ref }), absence: absenceOf(store, ref, input) };
}

/** Only a complete look at the store proves that a model is missing. */
function absenceOf(store: StoreId, ref: string | undefined, { observed }: ProjectionInput): NonNullable<Subject["absence"]> {
  const observation = observationOf(observed.stores, store);
  if (observation?.state !== "observed") return { state: "unknown", reason: "StoreUnknown" };
  if (ref !== undefined && observation.unreadable.some((item) => sameRef(store, item.ref, ref))) return { state: "unknown", reason: "Unreadable" };
  return observation.complete ? { state: "missing", reason: "NotInStore" } : { state: "unknown", reason: "ListingIncomplete" };
}

interface Known {
  readonly holdings: readonly Holding[];
  readonly memory: ProjectionInput["memory"];
}

function curatedSubjects(curated: readonly RegistryEntry[], declared: readonly Subject[], known: Known): readonly Subject[] {
  const taken = new Set(declared.map((subject) => subject.name));
  return curated
    .filter((entry) => !taken.has(entry.name))
    .map((entry): Subject => {
      const holding = known.holdings.find((candidate) => speaksAbout(entry, candidate)) ?? namedHolding(entry, known);
      if (holding === undefined)
        return {
          name: entry.name,
          absence: { state: entry.backend === "remote" ? "remote" : "unknown", reason: "NotHeld" },
        };
      return { name: entry.name, store: holding.store, ref: holding.ref, holding };
    });
}

/** An entry that says nothing of where its model is means the one that was imported under its name: layers are merged by name. */
function namedHolding(entry: RegistryEntry, { holdings, memory }: Known): Holding | undefined {
  if (refOfEntry(entry) !== undefined || (entry.download_path ?? "") !== "" || entry.backend_config.model_path !== "") return undefined;
  const place = [memory.inventory, memory.discovered].flatMap((items) => items.filter((item) => item.name === entry.name));
  return holdings.find((holding) => place.some((item) => keyOf(item) === keyOf(holding)));
}

function otherSubjects(holdings: readonly Holding[], before: readonly Subject[], input: ProjectionInput): Subjects {
  const taken = new Set(before.map((subject) => subject.name));
  const listed = new Map(before.flatMap((subject) => (subject.holding === undefined ? [] : [[keyOf(subject.holding), subject] as const])));
  const subjects: Subject[] = [];
  const findings: Diagnostic[] = [];
  for (const holding of holdings) {
    const twin = listed.get(keyOf(holding));
    if (twin !== undefined) {
      if (twin.holding?.ref !== holding.ref) findings.push(caseTwin(holding, twin));
      continue;
    }
    const name = nameOf(holding, taken, input);
    if (name === undefined) continue;
    if (isSkippedTest(holding.store, name, input)) {
      findings.push(skippedTest(holding, name));
      continue;
    }
    findings.push(...collision(holding, name, taken, input));
    const subject: Subject = { name, store: holding.store, ref: holding.ref, holding };
    taken.add(name);
    listed.set(keyOf(holding), subject);
    subjects.push(subject);
  }
  return { subjects, findings };
}

/** Equal for holdings that are the same thing; Ollama ignores case. */
function keyOf({ store, ref }: Pick<Holding, "store" | "ref">): string {
  return `${store}\n${store.startsWith("ollama:") ? ref.toLowerCase() : ref}`;
}

/** The name that was given once is kept; a new one is made only where the settings say how, or where the model is ours and its name is in use. */
function nameOf(holding: Holding, taken: ReadonlySet<string>, { memory, settings }: ProjectionInput): string | undefined {
  const sources = [memory.inventory, memory.deprecations, memory.discovered];
  const given = sources.flatMap((items) => items.filter((item) => keyOf(item) === keyOf(holding)).map((item) => item.name));
  const free = given.find((name) => !taken.has(name));
  if (free !== undefined) return free;
  const naming = settings.naming ?? (given.length > 0 ? "a2" : undefined);
  return naming === undefined ? undefined : assignName(holding, taken, naming);
}

/** As ImageWorks does: Ollama models are imported whatever their name, others only if they do not look like test models. */
function isSkippedTest(store: StoreId, name: string, { settings }: ProjectionInput): boolean {
  return !settings.includeTesting && !store.startsWith("ollama:") && isTestingName(name, settings.testPatterns);
}

function skippedTest(holding: Holding, name: string): Diagnostic {
  const message = `${holding.ref} is left out of the registry because its name ${JSON.stringify(name)} looks like a test model`;
  return { severity: "note", code: "registry.testing-skipped", message, remedy: "declare it in a manifest, or include testing models" };
}

function caseTwin(holding: Holding, twin: Subject): Diagnostic {
  const other = twin.ref ?? twin.name;
  const message = `${holding.ref} differs only in case from ${other}, which is the same model to Ollama; one entry (${twin.name}) stands for both`;
  return { severity: "warning", code: "registry.case-duplicate", message, remedy: `remove one of the two from ${holding.store}` };
}

function collision(holding: Holding, name: string, taken: ReadonlySet<string>, { settings }: ProjectionInput): readonly Diagnostic[] {
  const wanted = preferredName(holding, settings.naming ?? "a2");
  if (name === wanted || !taken.has(wanted)) return [];
  const message = `the name ${wanted} belongs to another model, so ${holding.ref} is listed as ${name}`;
  return [{ severity: "note", code: "registry.name-collision", message, remedy: "declare the model in a manifest to give it a name of your own" }];
}
