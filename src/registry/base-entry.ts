import type { Backend } from "../domain/backend.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Holding, ModelFacts } from "../domain/observed.ts";
import { mergeCapabilities, type CapabilityClaim, type MergedCapabilities } from "./capabilities.ts";
import { downloadFields } from "./download-fields.ts";
import { endpointOf, registryBackend, type Endpoint } from "./endpoint.ts";
import { emptyEntry, type RegistryEntry } from "./entry.ts";
import { integrityOf, modelArtifacts, type Integrity } from "./integrity.ts";
import { knownModelClaims, knownModels, nameClaims } from "./known-models.ts";
import { parseRefParts } from "./naming.ts";
import type { ProjectionInput } from "./projection.ts";
import { deprecationOf, reconcilerRecord } from "./reconciler-record.ts";
import { backendOf, inOllama, ollamaTag, originOf, type Subject } from "./subject.ts";
import { versionLock } from "./version-lock.ts";

/** What is known of a model apart from what its manifest says about it: its entry of the discovered layer. */
export function baseEntry(subject: Subject, input: ProjectionInput): RegistryEntry {
  const { name, holding } = subject;
  const tag = ollamaTag(subject);
  const backend = backendOf(subject, input.desired.backends);
  const capabilities = capabilitiesOf(subject, tag ?? originOf(subject), input);
  const integrity = integrityOfSubject(subject, input);
  const empty = emptyEntry(name, inOllama(subject) ? "ollama" : registryBackend(backend));
  return {
    ...empty,
    backend_config: { ...empty.backend_config, ...endpointIn(backend, tag), model_path: modelPath(holding, tag) },
    capabilities: capabilities.values,
    version_lock: versionLock(name, input),
    ...measured(empty, input),
    metadata: { ...storeMetadata(holding?.facts, tag), reconciler: reconcilerRecord(subject, integrity, capabilities, input.memory) },
    served_model_id: tag ?? name,
    deprecated: deprecationOf(subject, input.memory) !== undefined,
    source_provider: providerOf(subject),
    ...described(holding?.facts, tag ?? originOf(subject)),
    ...(holding && integrity && { artifacts: integrity.artifacts, ...downloadFields({ subject, holding, integrity, tag }, input) }),
  };
}

/** For Ollama never a real folder: ImageWorks would hash what it finds there. */
function modelPath(holding: Holding | undefined, tag: string | undefined): string {
  return tag === undefined ? (holding?.location ?? "") : `ollama:/${tag}`;
}

function measured(empty: RegistryEntry, { history }: ProjectionInput): Pick<RegistryEntry, "performance" | "probes"> {
  return { performance: history?.performance?.[empty.name] ?? empty.performance, probes: { vision: history?.visionProbes?.[empty.name] ?? null } };
}

/** What files and server say about the model, completed from its reference. */
function described(facts: ModelFacts | undefined, origin: string): Pick<RegistryEntry, "family" | "quantization" | "license" | "chat_template"> {
  const { family, quant } = parseRefParts(origin);
  return {
    family: family === "" ? null : family,
    quantization: usable(facts?.quantization)?.toLowerCase() ?? quant ?? null,
    license: shortLicense(facts?.license),
    chat_template: { source: "embedded", path: null, sha256: facts?.chatTemplateSha256 ?? null },
  };
}

function integrityOfSubject({ name, model, holding }: Subject, { memory }: ProjectionInput): Integrity | undefined {
  if (holding === undefined) return undefined;
  const verified = memory.verifications.find((verification) => verification.name === name)?.at;
  return integrityOf(modelArtifacts(holding, model), verified);
}

function endpointIn(backend: Backend | undefined, tag: string | undefined): Endpoint {
  return backend === undefined && tag !== undefined ? { port: 11434 } : endpointOf(backend);
}

function providerOf({ model, store }: Subject): string | null {
  if (inOllama({ ...(model === undefined ? {} : { model }), ...(store === undefined ? {} : { store }) })) return "ollama";
  if (model?.source.kind === "huggingface" || store === "huggingface") return "hf";
  return model?.source.kind === "remote" ? "remote" : "local";
}

/** Facts first; the table and the name only fill what nobody observed. */
function capabilitiesOf({ name, holding }: Subject, origin: string, input: ProjectionInput): MergedCapabilities {
  const observed = Object.entries(holding?.facts.capabilities ?? {}).map(([capability, { value, from }]): CapabilityClaim => ({
    name: capability,
    value,
    from,
  }));
  const probe = input.history?.visionProbes?.[name]?.["vision_ok"];
  const probed: readonly CapabilityClaim[] = typeof probe === "boolean" ? [{ name: "vision", value: probe, from: "probe" }] : [];
  const guesses = [...knownModelClaims(input.knownModels ?? knownModels, origin), ...nameClaims(origin.split("/").at(-1) ?? origin)];
  return mergeCapabilities([...probed, ...observed, ...guesses], {});
}

const ollamaWords: Readonly<Record<string, string>> = { text: "completion", image_generation: "image" };

/** The keys that the ImageWorks importer keeps, under its names. */
function storeMetadata(facts: ModelFacts | undefined, tag: string | undefined): JsonObject {
  if (facts === undefined) return {};
  if (tag === undefined) return { created_from_download: true };
  const said = Object.entries(facts.capabilities).filter(([, claim]) => claim.value && claim.from !== "name" && claim.from !== "known-model");
  return {
    created_from_download: true,
    ollama_family: facts.family ?? null,
    ollama_architecture: facts.architecture ?? null,
    ollama_parameters: facts.parameterCount ?? null,
    ollama_parameter_size: facts.parameterSize ?? null,
    ollama_context_length: facts.contextLength ?? null,
    ollama_embedding_length: facts.embeddingLength ?? null,
    ollama_capabilities: said.map(([capability]) => ollamaWords[capability] ?? capability).toSorted(),
  };
}

function usable(text: string | undefined): string | undefined {
  return text === undefined || text === "" || text.toLowerCase() === "unknown" ? undefined : text;
}

/** Ollama ships whole licence texts; an entry has room for a label. */
function shortLicense(license: string | undefined): string | null {
  const line = license?.trim() ?? "";
  return line === "" || line.length > 80 || line.includes("\n") ? null : line;
}
