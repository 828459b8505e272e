import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Holding, StoreId } from "../domain/observed.ts";
import { parseOllamaName, shortOllamaName } from "../domain/ollama-name.ts";
import type { RegistryEntry } from "./entry.ts";
import { plainJson, stated } from "./json-text.ts";
import {
  adoptedCapabilities,
  backendName,
  backendsOf,
  launchOf,
  lifecycleOf,
  rolesOf,
  sourceOf,
  usableName,
  type SpokenBackend,
  type StageLists,
} from "./migrate-fields.ts";
import { joinTwins } from "./migrate-twins.ts";
import { isPlaceholder } from "./placeholder.ts";

/** A manifest as plain data, ready to be rendered. */
export type ManifestObject = {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "Model" | "Backend";
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: JsonObject;
};

/** Manifests made of something else, and what could not be taken over as it was. */
export interface Migration {
  readonly manifests: readonly ManifestObject[];
  readonly findings: readonly Diagnostic[];
}

/** Makes manifests of registry entries, one Model each and one Backend per endpoint. Placeholders are left behind. */
export function manifestsFromRegistry(entries: readonly RegistryEntry[], stages: StageLists = {}): Migration {
  const findings: Diagnostic[] = [];
  const sorted = entries.toSorted((a, b) => compareText(a.name, b.name));
  const chosen = choose(joinTwins(sorted, findings), findings);
  const taken = new Set(chosen.map(({ name }) => name.toLowerCase()));
  const models = chosen.map(({ entry, name, source }) =>
    modelManifest(entry, { name, source, stages, aliases: freeAliases(entry, name, taken, findings) }),
  );
  const backends = backendsOf(chosen.map(({ entry }) => entry));
  const manifests = backends.map(({ name, spec }): ManifestObject => ({ apiVersion: "holdfast.dev/v1", kind: "Backend", metadata: { name }, spec }));
  return { manifests: [...manifests, ...models], findings: [...findings, ...sharedEndpoints(backends)] };
}

/** ImageWorks gives vLLM and LMDeploy the same port by default; one machine cannot have both there. */
function sharedEndpoints(backends: readonly SpokenBackend[]): readonly Diagnostic[] {
  const byUrl = Map.groupBy(
    backends.filter((backend) => backend.spec.type !== "openai"),
    (backend) => backend.spec.url,
  );
  return [...byUrl].flatMap(([url, group]): readonly Diagnostic[] => {
    const names = group.map((backend) => backend.name).join(" and ");
    return group.length < 2
      ? []
      : [
          {
            severity: "warning",
            code: "migrate.shared-endpoint",
            message: `${names} would both be at ${url}`,
            remedy: "give one of them another port, or let their models share one Backend",
          },
        ];
  });
}

interface Chosen {
  readonly entry: RegistryEntry;
  readonly name: string;
  readonly source: JsonObject;
}

function choose(entries: readonly RegistryEntry[], findings: Diagnostic[]): readonly Chosen[] {
  const names = new Set<string>();
  return entries.flatMap((entry): readonly Chosen[] => {
    const name = usableName(entry.name);
    const source = sourceOf(entry);
    if (isPlaceholder(entry)) {
      findings.push({ severity: "note", code: "migrate.placeholder", message: `${entry.name} is a placeholder and gets no manifest` });
      return [];
    }
    if (source === undefined) {
      findings.push({
        severity: "warning",
        code: "migrate.no-source",
        message: `${entry.name} does not say where its bytes come from and gets no manifest`,
        remedy: "write the manifest by hand",
      });
      return [];
    }
    if (names.has(name.toLowerCase())) {
      findings.push({
        severity: "error",
        code: "migrate.duplicate-name",
        message: `two entries would be called ${name}; only the first got a manifest`,
        remedy: "give one of them another name",
      });
      return [];
    }
    names.add(name.toLowerCase());
    if (name !== entry.name)
      findings.push({
        severity: "warning",
        code: "migrate.renamed",
        message: `${JSON.stringify(entry.name)} is not usable as a name; its manifest is called ${name}`,
      });
    if (entry.version_lock.locked)
      findings.push({
        severity: "note",
        code: "migrate.lock",
        message: `${entry.name} was locked by hash; its manifest requires a lock`,
        remedy: `holdfast lock ${name}`,
      });
    return [{ entry, name, source }];
  });
}

/** An alias leads to one model only; of several that claim it, the first keeps it. */
function freeAliases(entry: RegistryEntry, name: string, taken: Set<string>, findings: Diagnostic[]): readonly string[] {
  return entry.model_aliases.filter((alias) => {
    if (alias.toLowerCase() === name.toLowerCase()) return false;
    const free = usableName(alias) === alias && !taken.has(alias.toLowerCase());
    if (free) taken.add(alias.toLowerCase());
    else
      findings.push({
        severity: "warning",
        code: "migrate.alias-dropped",
        message: `the alias ${JSON.stringify(alias)} of ${entry.name} leads elsewhere or is not usable; it was left out`,
      });
    return free;
  });
}

interface ModelParts {
  readonly name: string;
  readonly source: JsonObject;
  readonly stages: StageLists;
  readonly aliases: readonly string[];
}

const generatedMetadata = /^(?:reconciler|registry_layer|created_from_download|testing|ollama_.*|architecture)$/;

function modelManifest(entry: RegistryEntry, { name, source, stages, aliases }: ModelParts): ManifestObject {
  const extra = Object.entries(entry.metadata).filter(([key]) => !generatedMetadata.test(key));
  const spec = stated({
    displayName: entry.display_name === entry.name ? undefined : entry.display_name,
    source,
    backend: "ollama" in source || entry.backend !== "ollama" ? backendName(entry) : undefined,
    servedModelId: [sourceModel(source), name].includes(entry.served_model_id) ? undefined : entry.served_model_id,
    launch: launchOf(entry),
    roles: nonEmpty(rolesOf(entry, stages)),
    aliases: nonEmpty(aliases),
    capabilities: adoptedCapabilities(entry),
    license: entry.license ?? undefined,
    lifecycle: lifecycleOf(entry),
    lock: entry.version_lock.locked ? { required: true } : undefined,
    testing: entry.metadata["testing"] === true ? true : undefined,
    generationDefaults: nonEmptyObject(entry.generation_defaults),
    metadata: nonEmptyObject(Object.fromEntries(extra)),
  });
  return { apiVersion: "holdfast.dev/v1", kind: "Model", metadata: { name }, spec };
}

function sourceModel(source: JsonObject): string | undefined {
  const ollama = source["ollama"];
  const model = typeof ollama === "object" && ollama !== null && "model" in ollama ? ollama["model"] : undefined;
  return typeof model === "string" ? model : undefined;
}

function nonEmptyObject(object: JsonObject): Json | undefined {
  return Object.keys(object).length === 0 ? undefined : plainJson(object);
}

function nonEmpty(list: readonly Json[]): readonly Json[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Manifests that say exactly what the stores hold now, so that the next plan has nothing to do. `names` gives each holding its name. */
export function manifestsFromHoldings(holdings: readonly Holding[], names: (holding: Holding) => string): Migration {
  const findings: Diagnostic[] = [];
  const taken = new Set<string>();
  const manifests = holdings
    .toSorted((a, b) => compareText(a.store, b.store) || compareText(a.ref, b.ref))
    .flatMap((holding): readonly ManifestObject[] => {
      const name = names(holding);
      if (holding.facts.remoteHost !== undefined) {
        findings.push({
          severity: "note",
          code: "adopt.remote",
          message: `${holding.ref} has no bytes here (it runs at ${holding.facts.remoteHost}) and gets no manifest`,
        });
        return [];
      }
      if (taken.has(name)) {
        findings.push({
          severity: "error",
          code: "adopt.duplicate-name",
          message: `two models would be called ${name}; ${holding.ref} got no manifest`,
          remedy: "adopt it under a name of its own",
        });
        return [];
      }
      taken.add(name);
      return [{ apiVersion: "holdfast.dev/v1", kind: "Model", metadata: { name }, spec: specOf(holding) }];
    });
  return { manifests, findings };
}

function specOf(holding: Holding): JsonObject {
  const { store, ref } = holding;
  if (store === "directory") return { source: { path: { dir: ref } } };
  if (store === "huggingface") {
    const revision = holding.contentId ?? ref.slice(-40);
    return { source: { huggingface: { repo: ref.replace(/@[0-9a-f]{40}$/, ""), revision } } };
  }
  const parsed = parseOllamaName(ref);
  return { source: { ollama: { model: "name" in parsed ? shortOllamaName(parsed.name) : ref } }, backend: backendIn(store) };
}

function backendIn(store: StoreId): string {
  return store.slice("ollama:".length);
}
