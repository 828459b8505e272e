/** How names for models that nobody named are made: `a1` without, `a2` with the quantization, `simple` as `family_7b_(QUANT)`. */
export type NamingStrategy = "a1" | "a2" | "simple";

/** What a reference says about a model, by ImageWorks' rules; namespace and host are lost. */
export interface RefParts {
  readonly family: string;
  /** Lower case, underscores kept. */
  readonly quant?: string;
}

/** What a name is made of beside the reference. */
export interface NameContext {
  /** Left out of names where nobody knows it yet. */
  readonly backend?: string;
  readonly format?: string;
  /** From elsewhere than the reference; wins over the reference's own. */
  readonly quant?: string;
}

const quantToken = /^(?:q\d(?:_[01]|_k(?:_[sml])?)?|int[48]|fp16|f16|bf16|fp32|f32|awq|gptq|nf4|fp8|iq4_xs)$/i;
const quantInBase = /(?<![a-z0-9])(?:q\d+(?:[_-](?:[01]|k|xs|xl|s|m|l))*|mxfp\d+|int\d+|fp\d+)(?![a-z0-9])/;
const trailingQuant = /-(?:q\d(?:-[01]|-k(?:-[sml])?)?|int[48]|fp16|f16|bf16|fp32|f32|awq|gptq|nf4|fp8|iq4-xs)$/;

/** True for the spellings that ImageWorks takes for a quantization; `mxfp4`, other `iq*` and compound tags are none. */
export function isQuantToken(text: string): boolean {
  return quantToken.test(text);
}

/** Splits a reference into family and quantization. The first colon counts, so that a port in the host is mis-split exactly as in existing names. */
export function parseRefParts(ref: string): RefParts {
  const colon = ref.indexOf(":");
  const left = colon < 0 ? ref : ref.slice(0, colon);
  const tag = colon < 0 ? "" : ref.slice(colon + 1);
  const { base, quant } = cutQuant(left.slice(left.lastIndexOf("/") + 1).toLowerCase());
  const stem = dashed(base.replaceAll(/gguf|ggml|safetensors/g, ""));
  if (isQuantToken(tag)) return { family: stem, quant: tag.toLowerCase() };
  const family = [stem, dashed(tag)].filter((part) => part !== "").join("-");
  return quant === undefined ? { family } : { family, quant };
}

function cutQuant(base: string): { readonly base: string; readonly quant?: string } {
  const match = quantInBase.exec(base);
  if (match === null) return { base };
  return { base: `${base.slice(0, match.index)}-${base.slice(match.index + match[0].length)}`, quant: match[0].replaceAll("-", "_") };
}

function dashed(text: string): string {
  return trimDashes(text.toLowerCase().replaceAll(/[@_/\s]/g, "-"));
}

function trimDashes(text: string): string {
  return text.replaceAll(/-+/g, "-").replaceAll(/^-|-$/g, "");
}

/** Makes a family usable in a name. */
export function familySlug(family: string): string {
  return trimDashes(dashed(family).replaceAll(/[^a-z0-9.-]/g, "-")) || "model";
}

/** The name that a strategy gives to a reference. */
export function nameOfRef(ref: string, strategy: NamingStrategy, context: NameContext = {}): string {
  const parts = parseRefParts(ref);
  const family = familySlug(parts.family);
  const quant = usableQuant(context.quant) ?? parts.quant;
  if (strategy === "simple") return simpleName(family, quant);
  const suffix = [context.backend, tokenUnless(family, context.format), strategy === "a2" ? tokenUnless(family, quant) : undefined];
  return [family, ...suffix.filter((part) => part !== undefined)].join("-");
}

function usableQuant(quant: string | undefined): string | undefined {
  const text = quant?.trim().toLowerCase() ?? "";
  return text === "" || text === "unknown" ? undefined : text;
}

function tokenUnless(family: string, token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  return `-${family}-`.includes(`-${token.toLowerCase().replaceAll("_", "-")}-`) ? undefined : token.toLowerCase();
}

function simpleName(family: string, quant: string | undefined): string {
  const bare = family.replace(trailingQuant, "") || family;
  const sized = bare.replace(/-(\d+b)$/, "_$1");
  return quant === undefined ? sized : `${sized}_(${quant.toUpperCase()})`;
}
