import { canonicalOllamaName, parseOllamaName, type OllamaName } from "../../domain/ollama-name.ts";

const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/;

/**
 * A name that exists in a store or listing. Unlike declared names it may carry a reserved tag (`x:cloud` is how stubs are called), so the tag is
 * judged apart from the rest.
 */
export function readListedName(text: string): OllamaName | undefined {
  const colon = text.lastIndexOf(":");
  const hasTag = colon > text.lastIndexOf("/");
  const tag = hasTag ? text.slice(colon + 1) : "latest";
  const parsed = parseOllamaName(`${hasTag ? text.slice(0, colon) : text}:x`);
  return "name" in parsed && tagPattern.test(tag) ? { ...parsed.name, tag } : undefined;
}

/** Canonical reference of a listed name. */
export function refOfListed(text: string): string | undefined {
  const name = readListedName(text);
  return name && canonicalOllamaName(name);
}

/** The key under which Ollama finds a name: case does not count. */
export function nameKey(ref: string): string {
  return ref.toLowerCase();
}
