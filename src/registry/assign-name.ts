import { sha256 } from "../domain/digest.ts";
import type { Holding } from "../domain/observed.ts";
import { parseOllamaName, shortOllamaName } from "../domain/ollama-name.ts";
import { familySlug, nameOfRef, type NamingStrategy } from "./naming.ts";
import { placeholderPrefix } from "./placeholder.ts";

/** What a name is made from. */
export type Nameable = Pick<Holding, "store" | "ref" | "contentId" | "artifacts">;

/** The name that a holding gets when nobody else has it: the same for the same reference, whatever else is known of the model. */
export function preferredName(holding: Nameable, naming: NamingStrategy): string {
  if (holding.store.startsWith("ollama:")) return nameOfRef(shortRef(holding.ref), naming, { backend: "ollama", format: "gguf" });
  const format = formatOf(holding);
  return nameOfRef(baseOf(holding), naming, format === undefined ? {} : { format });
}

/**
 * A name for a holding that nobody declared, unlike any in `taken`: the preferred one, else with the namespace in front, else also with the first
 * 12 digits of the content id. No real model is ever called like a placeholder.
 */
export function assignName(holding: Nameable, taken: ReadonlySet<string>, naming: NamingStrategy): string {
  const name = preferredName(holding, naming);
  const spaced = `${namespaceOf(holding)}-${name}`;
  const digest = (holding.contentId ?? sha256(holding.ref)).slice(0, 12);
  const candidates = [name, spaced, `${spaced}-${digest}`, `${spaced}-${sha256(`${holding.store}\n${holding.ref}`).slice(0, 12)}`];
  const [first] = candidates.filter((candidate) => !candidate.startsWith(placeholderPrefix) && !taken.has(candidate));
  return first ?? `ollama-${spaced}-${sha256(`${holding.store}\n${holding.ref}`)}`;
}

function shortRef(ref: string): string {
  const parsed = parseOllamaName(ref);
  return "name" in parsed ? shortOllamaName(parsed.name) : ref;
}

function baseOf(holding: Nameable): string {
  const path = holding.store === "huggingface" ? holding.ref.replace(/@[0-9a-f]{40}$/, "") : holding.ref;
  return path.replace(/\/+$/, "").split("/").at(-1) ?? path;
}

/** The container that the files are in; a GGUF file decides. */
function formatOf(holding: Nameable): string | undefined {
  const has = (extension: string): boolean => holding.artifacts.some((artifact) => artifact.path.toLowerCase().endsWith(extension));
  if (has(".gguf")) return "gguf";
  return has(".safetensors") ? "safetensors" : undefined;
}

function namespaceOf(holding: Nameable): string {
  const parsed = parseOllamaName(holding.ref);
  if (holding.store.startsWith("ollama:") && "name" in parsed) return familySlug(parsed.name.namespace);
  const segments = holding.ref.split("/").filter((segment) => segment !== "");
  return familySlug(segments.at(-2) ?? "hf");
}
