import type { ModelFacts, Provenance } from "../../domain/observed.ts";
import { fieldsOf } from "./hub-decode.ts";

const texts = ["family", "architecture", "parameterSize", "quantization", "license", "chatTemplateSha256"] as const;
const numbers = ["parameterCount", "contextLength", "embeddingLength"] as const;
const provenances: readonly Provenance[] = ["probe", "show", "model_info", "header", "known-model", "name"];
const formats = ["gguf", "safetensors", "other"] as const;

/** Facts as they were remembered; undefined for anything else, which is then read anew. */
export function decodeFacts(text: string | undefined): ModelFacts | undefined {
  const fields = text === undefined ? undefined : fieldsOf(parse(text));
  const capabilities = fieldsOf(fields?.["capabilities"]);
  if (fields === undefined || capabilities === undefined) return undefined;
  const format = formats.find((name) => name === fields["format"]);
  return {
    ...Object.fromEntries(texts.flatMap((key) => (typeof fields[key] === "string" ? [[key, fields[key]]] : []))),
    ...Object.fromEntries(numbers.flatMap((key) => (typeof fields[key] === "number" ? [[key, fields[key]]] : []))),
    ...(format === undefined ? {} : { format }),
    capabilities: Object.fromEntries(Object.entries(capabilities).flatMap(([name, value]) => capability(value).map((known) => [name, known]))),
  };
}

function capability(value: unknown): readonly { readonly value: boolean; readonly from: Provenance }[] {
  const fields = fieldsOf(value);
  const from = provenances.find((name) => name === fields?.["from"]);
  return typeof fields?.["value"] === "boolean" && from !== undefined ? [{ value: fields["value"], from }] : [];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
