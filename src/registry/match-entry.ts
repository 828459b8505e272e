import type { Holding } from "../domain/observed.ts";
import { canonicalOllamaName, parseOllamaName, sameOllamaRef } from "../domain/ollama-name.ts";
import type { RegistryEntry } from "./entry.ts";
import { refOfEntry } from "./placeholder.ts";

/** True when an entry that somebody else wrote speaks about this holding: same Ollama reference, else same folder, else same Hub repository. */
export function speaksAbout(entry: RegistryEntry, holding: Pick<Holding, "store" | "ref" | "location">): boolean {
  if (holding.store.startsWith("ollama:")) return speaksAboutOllama(entry, holding.ref);
  const paths = [entry.download_path, entry.backend_config.model_path].filter((path) => path !== null && path !== "");
  const place = holding.store === "directory" ? holding.ref : holding.location;
  if (paths.length > 0) return place !== undefined && paths.some((path) => path?.replace(/\/+$/, "") === place);
  const repo = entry.source?.["huggingface_id"];
  return holding.store === "huggingface" && typeof repo === "string" && holding.ref.startsWith(`${repo}@`);
}

/** True when an entry is about an Ollama reference; Ollama ignores case and defaults may be left out. */
export function speaksAboutOllama(
  entry: Pick<RegistryEntry, "backend" | "served_model_id" | "backend_config" | "download_path">,
  ref: string,
): boolean {
  const written = entry.backend === "ollama" ? refOfEntry(entry) : undefined;
  return written !== undefined && sameOllamaRef(fullRef(written), fullRef(ref));
}

/** The full form of an Ollama name, or the text as it is when it is none. */
export function fullRef(ref: string): string {
  const parsed = parseOllamaName(ref);
  return "name" in parsed ? canonicalOllamaName(parsed.name) : ref;
}
