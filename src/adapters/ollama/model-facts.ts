import { isSha256, sha256 } from "../../domain/digest.ts";
import type { ModelFacts, Provenance } from "../../domain/observed.ts";
import { countOf, defined, isRecord, listOf, recordOf, textOf, type Unknowns } from "./decode.ts";
import { layersOfKind, type ManifestContent } from "./manifest-text.ts";

/** Ollama's word -> ours. */
const capabilityNames: Readonly<Record<string, string>> = {
  completion: "text",
  tools: "tools",
  insert: "insert",
  vision: "vision",
  embedding: "embedding",
  thinking: "thinking",
  image: "image",
  audio: "audio",
};

export const noFacts: ModelFacts = { capabilities: {} };

/** Facts of the config blob of a manifest. */
export function factsOfConfig(config: Unknowns): ModelFacts {
  const facts = {
    format: formatOf(config["model_format"]),
    family: textOf(config["model_family"]),
    parameterSize: textOf(config["model_type"]),
    quantization: textOf(config["file_type"]),
    contextLength: countOf(config["context_length"]),
    embeddingLength: countOf(config["embedding_length"]),
    remoteHost: textOf(config["remote_host"]),
  };
  return { ...defined(facts), capabilities: capabilitiesOf(config["capabilities"], "model_info", false) };
}

/** Facts that follow from which layers there are. */
export function factsOfLayers(content: ManifestContent): ModelFacts {
  const [template] = [...layersOfKind(content, "template"), ...layersOfKind(content, "prompt")];
  const seesImages = layersOfKind(content, "projector").length > 0;
  return {
    ...defined({ chatTemplateSha256: template?.sha256 }),
    capabilities: seesImages ? { vision: { value: true, from: "header" } } : {},
  };
}

/** Facts of one entry of `/api/tags`. */
export function factsOfListing(entry: Unknowns): ModelFacts {
  const details = recordOf(entry["details"]);
  const facts = {
    ...factsOfDetails(details),
    contextLength: countOf(details["context_length"]),
    embeddingLength: countOf(details["embedding_length"]),
    remoteHost: textOf(entry["remote_host"]),
  };
  return { ...defined(facts), capabilities: capabilitiesOf(entry["capabilities"], "show", true) };
}

const rememberedInfo = /^general\.(architecture|parameter_count|license)$|\.(context_length|embedding_length)$/;

/** The part of a `/api/show` answer that facts are made of; small enough to be remembered for every model. */
export function trimShow(show: Unknowns): Unknowns {
  const info = Object.entries(recordOf(show["model_info"])).filter(([key]) => rememberedInfo.test(key));
  const template = textOf(show["template"]);
  return defined({
    details: isRecord(show["details"]) ? show["details"] : undefined,
    capabilities: listOf(show["capabilities"]),
    model_info: Object.fromEntries(info),
    template_sha256: template && sha256(template),
    license: licenseIdOf(show["license"]),
    remote_host: textOf(show["remote_host"]),
  });
}

/** Facts of a trimmed `/api/show` answer. */
export function factsOfShow(show: Unknowns): ModelFacts {
  const info = recordOf(show["model_info"]);
  const architecture = textOf(info["general.architecture"]);
  const template = textOf(show["template_sha256"]);
  const facts = {
    ...factsOfDetails(recordOf(show["details"])),
    architecture,
    contextLength: countOf(info[`${architecture}.context_length`]),
    embeddingLength: countOf(info[`${architecture}.embedding_length`]),
    parameterCount: countOf(info["general.parameter_count"]),
    license: textOf(info["general.license"]) ?? textOf(show["license"]),
    chatTemplateSha256: template !== undefined && isSha256(template) ? template : undefined,
    remoteHost: textOf(show["remote_host"]),
  };
  return { ...defined(facts), capabilities: capabilitiesOf(show["capabilities"], "show", true) };
}

/** Later facts win over earlier ones, member by member. */
export function mergeFacts(...all: readonly ModelFacts[]): ModelFacts {
  return all.reduce((merged, facts) => ({ ...merged, ...facts, capabilities: { ...merged.capabilities, ...facts.capabilities } }), noFacts);
}

function factsOfDetails(details: Unknowns): Omit<ModelFacts, "capabilities"> {
  return defined({
    format: formatOf(details["format"]),
    family: textOf(details["family"]),
    parameterSize: textOf(details["parameter_size"]),
    quantization: textOf(details["quantization_level"]),
  });
}

function formatOf(value: unknown): ModelFacts["format"] {
  const text = textOf(value);
  return text === undefined || text === "gguf" || text === "safetensors" ? text : "other";
}

/** With `complete`, a capability that a non-empty list leaves out is known to be absent. */
function capabilitiesOf(value: unknown, from: Provenance, complete: boolean): ModelFacts["capabilities"] {
  const listed = new Set(listOf(value).filter((item) => typeof item === "string"));
  if (listed.size === 0) return {};
  const known = Object.entries(capabilityNames).filter(([word]) => complete || listed.has(word));
  const unknown = [...listed].filter((word) => !(word in capabilityNames) && /^[a-z][a-z0-9_-]{0,40}$/.test(word));
  const names = [...known.map(([word, name]) => [name, listed.has(word)] as const), ...unknown.map((word) => [word, true] as const)];
  return Object.fromEntries(names.map(([name, present]) => [name, { value: present, from }]));
}

/** `/api/show` gives licence texts; the two commonest are told by their first lines, others by their title. */
function licenseIdOf(value: unknown): string | undefined {
  const text = textOf(value);
  if (text === undefined) return undefined;
  const head = text.slice(0, 400);
  if (/Apache License[\s,]+Version 2\.0/i.test(head)) return "apache-2.0";
  if (/^\s*(The )?MIT License|Permission is hereby granted, free of charge/i.test(head)) return "mit";
  const title = head
    .split("\n")
    .find((line) => line.trim() !== "")
    ?.trim();
  return title?.slice(0, 80);
}
