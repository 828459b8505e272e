import { compareText } from "../domain/diagnostic.ts";
import type { CapabilityClaim } from "./capabilities.ts";

/** Model families that spec 068 distinguishes. */
export type ModelFamily = "Llama" | "Mistral" | "CodeLlama" | "Gemma" | "Phi" | "Qwen" | "DeepSeek" | "Other";

/** What a model can do, in the words of spec 068. */
export interface ModelCapabilities {
  /** Tokens. */
  readonly contextSize: number;
  readonly toolCalling: boolean;
  readonly vision: boolean;
  readonly jsonMode: boolean;
  readonly codingOptimized: boolean;
  readonly embedding: boolean;
}

export interface KnownModel {
  /** Key for look-ups: a model name without tag. */
  readonly name: string;
  readonly displayName: string;
  readonly family: ModelFamily;
  readonly capabilities: ModelCapabilities;
  readonly defaultTemperature: number;
}

/** Known models by name; a value that can be replaced, not an authority. */
export type KnownModels = readonly KnownModel[];

export const defaultCapabilities: ModelCapabilities = {
  contextSize: 4096,
  toolCalling: false,
  vision: false,
  jsonMode: true,
  codingOptimized: false,
  embedding: false,
};

type Trait = "toolCalling" | "vision" | "codingOptimized";
type Row = readonly [name: string, displayName: string, family: ModelFamily, contextSize: number, temperature: number, ...traits: readonly Trait[]];

const rows: readonly Row[] = [
  ["llama3.1", "Llama 3.1", "Llama", 128_000, 0.7, "toolCalling"],
  ["llama3.2-vision", "Llama 3.2 Vision", "Llama", 128_000, 0.7, "toolCalling", "vision"],
  ["codellama", "Code Llama", "CodeLlama", 16_384, 0.2, "codingOptimized"],
  ["mistral", "Mistral", "Mistral", 32_768, 0.7, "toolCalling"],
  ["mixtral", "Mixtral", "Mistral", 32_768, 0.7, "toolCalling"],
  ["gemma2", "Gemma 2", "Gemma", 8192, 0.7],
  ["phi3", "Phi-3", "Phi", 128_000, 0.7],
  ["qwen2.5", "Qwen 2.5", "Qwen", 32_768, 0.7, "toolCalling"],
  ["qwen2.5-coder", "Qwen 2.5 Coder", "Qwen", 32_768, 0.2, "toolCalling", "codingOptimized"],
  ["deepseek-coder", "DeepSeek Coder", "DeepSeek", 16_384, 0.2, "codingOptimized"],
];

function knownModel([name, displayName, family, contextSize, defaultTemperature, ...traits]: Row): KnownModel {
  const has = (trait: Trait): boolean => traits.includes(trait);
  const capabilities = {
    ...defaultCapabilities,
    contextSize,
    toolCalling: has("toolCalling"),
    vision: has("vision"),
    codingOptimized: has("codingOptimized"),
  };
  return { name, displayName, family, capabilities, defaultTemperature };
}

/** The ten models of spec 068 that a fresh table starts with. */
export const knownModels: KnownModels = rows.map(knownModel);

/** A table with one more model, or with the one of that name replaced in its place. */
export function registerKnownModel(table: KnownModels, model: KnownModel): KnownModels {
  const index = table.findIndex((known) => known.name === model.name);
  return index < 0 ? [...table, model] : table.with(index, model);
}

/** Exact name, else the part before the first colon, else nothing: longer prefixes and namespaces never match. */
export function lookupKnownModel(table: KnownModels, name: string): KnownModel | undefined {
  const [base = name] = name.split(":", 1);
  return table.find((known) => known.name === name) ?? table.find((known) => known.name === base);
}

/** What the table knows of a model, or the defaults. */
export function capabilitiesOf(table: KnownModels, name: string): ModelCapabilities {
  return lookupKnownModel(table, name)?.capabilities ?? defaultCapabilities;
}

export function familyOf(table: KnownModels, name: string): ModelFamily {
  return lookupKnownModel(table, name)?.family ?? "Other";
}

/** What the table claims about a model, for merging with better sources. */
export function knownModelClaims(table: KnownModels, name: string): readonly CapabilityClaim[] {
  const known = lookupKnownModel(table, name);
  if (known === undefined) return [];
  const { toolCalling, vision, jsonMode, codingOptimized, embedding } = known.capabilities;
  const values = { tools: toolCalling, vision, json_mode: jsonMode, coding_optimized: codingOptimized, embedding };
  return Object.entries(values).map(([capability, value]): CapabilityClaim => ({ name: capability, value, from: "known-model" }));
}

const hints: readonly (readonly [RegExp, string])[] = [
  [/embed|(?:^|[/-])(?:bge|gte|e5)-/, "embedding"],
  [/llava|vision|(?:^|[^a-z])vl(?:[^a-z]|$)|[0-9.]vl(?:[^a-z]|$)|moondream|minicpm-v/, "vision"],
  [/coder|codellama|starcoder|(?:^|[/-])code(?:-|$)/, "coding_optimized"],
  [/(?:^|[^a-z0-9])(?:r1|qwq|thinking|reasoning)(?:[^a-z0-9]|$)/, "thinking"],
];

/** Guesses from the name alone, used only where no fact is known. A name is never taken to mean tools. */
export function nameClaims(name: string): readonly CapabilityClaim[] {
  const text = name.toLowerCase();
  const claims = hints
    .filter(([pattern]) => pattern.test(text))
    .map(([, capability]): CapabilityClaim => ({
      name: capability,
      value: true,
      from: "name",
    }));
  return claims.toSorted((a, b) => compareText(a.name, b.name));
}
