import type { ModelFacts } from "../../domain/observed.ts";
import { someText, wholeNumber } from "./decode-json.ts";
import type { GgufHeader } from "./gguf-header.ts";
import { fileTypeNames } from "./gguf-types.ts";
import type { SafetensorsHeader } from "./safetensors-header.ts";
import { fromHeader, templateFacts } from "./template-capabilities.ts";

/** Encoders that answer with vectors although older files do not name a pooling type. */
const embeddingArchitectures = new Set(
  "bert nomic-bert nomic-bert-moe jina-bert-v2 jina-bert-v3 modern-bert neo-bert eurobert gemma-embedding t5encoder".split(" "),
);

const packedDtypes = new Set(["I32", "U32", "U8", "I64"]);

/** Facts of a GGUF file. */
export function ggufFacts(header: GgufHeader): ModelFacts {
  const get = (key: string): unknown => header.metadata.get(key);
  const architecture = someText(get("general.architecture"));
  const template = templateFacts(someText(get("tokenizer.chat_template")));
  const facts: ModelFacts = {
    format: "gguf",
    parameterCount: header.parameterCount,
    ...present("architecture", architecture),
    ...present("family", architecture),
    ...present("parameterSize", someText(get("general.size_label")) ?? parameterSize(header.parameterCount)),
    ...present("quantization", fileTypeNames.get(wholeNumber(get("general.file_type")) ?? -1) ?? mostBytes(header.bytesByEncoding)),
    ...present("contextLength", size(get(`${architecture}.context_length`))),
    ...present("embeddingLength", size(get(`${architecture}.embedding_length`))),
    ...present("license", licenseName(get("general.license"))),
    ...template,
    capabilities: { ...ggufCapabilities(architecture, get), ...template.capabilities },
  };
  return facts;
}

/** Facts of one safetensors file; architecture and context length are in the folder beside it. */
export function safetensorsFacts(header: SafetensorsHeader): ModelFacts {
  const dtype = mostBytes(header.bytesByDtype);
  // Several weights are packed into one integer then; only `config.json` says how many.
  if (dtype !== undefined && packedDtypes.has(dtype)) return { format: "safetensors", capabilities: {} };
  return {
    format: "safetensors",
    parameterCount: header.parameterCount,
    ...present("parameterSize", parameterSize(header.parameterCount)),
    ...present("quantization", dtype),
    capabilities: {},
  };
}

/** `{ [key]: value }`, or nothing when there is no value. */
export function present<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}

/** `8.0B`, `134.52M`, as Ollama writes it. */
export function parameterSize(count: number): string | undefined {
  if (count >= 1e12) return `${(count / 1e12).toFixed(1)}T`;
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)}B`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)}M`;
  if (count >= 1e3) return `${(count / 1e3).toFixed(2)}K`;
  return count > 0 ? String(count) : undefined;
}

function ggufCapabilities(architecture: string | undefined, get: (key: string) => unknown): ModelFacts["capabilities"] {
  const vision = get("clip.has_vision_encoder") === true || get(`${architecture}.vision.block_count`) !== undefined;
  const audio = get("clip.has_audio_encoder") === true || get(`${architecture}.audio.block_count`) !== undefined;
  const encoders = { ...(vision ? { vision: fromHeader(true) } : {}), ...(audio ? { audio: fromHeader(true) } : {}) };
  // A projector names what it encodes since 2024; before, it could only be vision.
  if (architecture === "clip") return vision || audio ? encoders : { vision: fromHeader(true) };
  if (architecture === undefined || ["adapter", "vocab", "imatrix"].includes(someText(get("general.type")) ?? "model")) return encoders;
  const embedding = get(`${architecture}.pooling_type`) !== undefined || embeddingArchitectures.has(architecture);
  return { text: fromHeader(!embedding), embedding: fromHeader(embedding), ...encoders };
}

function mostBytes(bytesByName: ReadonlyMap<string, number>): string | undefined {
  return [...bytesByName].toSorted(([nameA, a], [nameB, b]) => b - a || (nameA < nameB ? -1 : 1))[0]?.[0];
}

/** Some publishers write the whole licence text where its name belongs. */
function licenseName(value: unknown): string | undefined {
  return someText(someText(value)?.split("\n")[0]?.trim().slice(0, 100));
}

function size(value: unknown): number | undefined {
  return wholeNumber(typeof value === "bigint" ? Number(value) : value);
}
