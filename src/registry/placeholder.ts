import { parseOllamaName } from "../domain/ollama-name.ts";
import { isNullString } from "./decode-fields.ts";
import type { RegistryEntry } from "./entry.ts";
import { parseRefParts } from "./naming.ts";

/** What entries of the first import strategy are called; no real model may be given such a name. */
export const placeholderPrefix = "model-ollama-gguf";

type RefCarrier = Pick<RegistryEntry, "served_model_id" | "backend_config" | "download_path">;

/** The Ollama reference that an entry is about: served id, else the reference that survives in `model_path` or `download_path`. */
export function refOfEntry(entry: RefCarrier): string | undefined {
  const candidates = [entry.served_model_id, entry.backend_config.model_path, entry.download_path ?? undefined];
  for (const candidate of candidates) {
    const ref = candidate?.trim().replace(/^ollama:\/{1,2}/i, "");
    if (ref !== undefined && ref !== "" && !ref.startsWith("/") && !isNullString(ref) && "name" in parseOllamaName(ref)) return ref;
  }
  return undefined;
}

/** True for a generic entry that stands for no model in particular. A real model that is called `model` is none. */
export function isPlaceholder(entry: Pick<RegistryEntry, "name"> & RefCarrier): boolean {
  if (!entry.name.startsWith(placeholderPrefix)) return false;
  const ref = refOfEntry(entry);
  return ref === undefined || parseRefParts(ref).family !== "model";
}

/** The model that a placeholder was made for, when it can still be told. */
export function resolvePlaceholder(entry: Pick<RegistryEntry, "name"> & RefCarrier): string | undefined {
  return isPlaceholder(entry) ? refOfEntry(entry) : undefined;
}
