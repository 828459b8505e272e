import { parseOllamaName } from "../domain/ollama-name.ts";
import type { RegistryEntry } from "./entry.ts";
import { familySlug, nameOfRef, parseRefParts, type NameContext, type NamingStrategy } from "./naming.ts";
import { ownRecordOf } from "./own-record.ts";
import { isPlaceholder, placeholderPrefix, refOfEntry } from "./placeholder.ts";

/** Which rule made the name of an entry; `declared` = a person did. */
export type NamingEra = "placeholder" | NamingStrategy | "declared" | "unknown";

const ollama: NameContext = { backend: "ollama", format: "gguf" };

/** Which of the naming strategies in circulation produced the name of an entry. */
export function namingEraOf(entry: RegistryEntry): NamingEra {
  if (ownRecordOf(entry)?.declared === true) return "declared";
  if (isPlaceholder(entry)) return "placeholder";
  const ref = refOfEntry(entry);
  return (ref === undefined ? undefined : eraOfName(entry.name, ref, entry.quantization ?? undefined)) ?? eraOfShape(entry.name);
}

/** The era whose rule gives this name to this reference; a namespace in front and a digest at the end, added against collisions, do not count. */
export function eraOfName(name: string, ref: string, quant?: string): NamingStrategy | undefined {
  const context = { ...ollama, ...(quant === undefined ? {} : { quant }) };
  const forms = [name, withoutDigest(name)];
  const namespace = namespaceOf(ref);
  const sameAs = (candidate: string): boolean => forms.includes(candidate) || forms.includes(`${namespace}-${candidate}`);
  if (sameAs(nameOfRef(ref, "a1", ollama))) return "a1";
  if (sameAs(nameOfRef(ref, "a2", ollama)) || sameAs(nameOfRef(ref, "a2", context))) return "a2";
  return sameAs(nameOfRef(ref, "simple")) || sameAs(nameOfRef(ref, "simple", context)) ? "simple" : undefined;
}

function namespaceOf(ref: string): string {
  const parsed = parseOllamaName(ref);
  return "name" in parsed ? familySlug(parsed.name.namespace) : "";
}

function withoutDigest(name: string): string {
  return name.replace(/-[0-9a-f]{12}$/, "");
}

function eraOfShape(name: string): NamingEra {
  if (name.endsWith("-ollama-gguf")) return "a1";
  if (/-ollama-gguf-[a-z0-9_]+$/.test(name)) return "a2";
  return /_\([A-Z0-9_]+\)$|_\d+(?:\.\d+)?[bm]$/.test(name) ? "simple" : "unknown";
}

/** Every name that an importer of any era could have given to the model of an entry; used to find it under an old name. */
export function earlierNames(entry: RegistryEntry): readonly string[] {
  const ref = refOfEntry(entry);
  if (ref === undefined || entry.backend !== "ollama") return [];
  const context = { ...ollama, ...(entry.quantization === null ? {} : { quant: entry.quantization }) };
  const names = [
    nameOfRef(ref, "a1", ollama),
    nameOfRef(ref, "a2", ollama),
    nameOfRef(ref, "a2", context),
    nameOfRef(ref, "simple"),
    nameOfRef(ref, "simple", context),
    nameFromShow(entry),
    namespacedName(ref),
  ];
  return [...new Set(names)].filter((name) => name !== undefined).filter((name) => name !== entry.name && !name.startsWith(placeholderPrefix));
}

/** The name that a second import gave, made of what Ollama reports rather than of the reference. */
function nameFromShow(entry: RegistryEntry): string | undefined {
  const family = entry.metadata["ollama_family"];
  const size = entry.metadata["ollama_parameter_size"];
  if (typeof family !== "string" || typeof size !== "string" || entry.quantization === null) return undefined;
  return `${family.toLowerCase()}_${size.toLowerCase()}_(${entry.quantization.toUpperCase()})`;
}

/** For two days names kept namespace and host. */
function namespacedName(ref: string): string | undefined {
  const [left = ref] = ref.split(":", 1);
  if (!left.includes("/")) return undefined;
  const { quant } = parseRefParts(ref);
  const family = left
    .toLowerCase()
    .replaceAll(/[@_/\s]/g, "-")
    .replaceAll(/-+/g, "-");
  const tag = quant === undefined && ref.includes(":") ? `-${ref.slice(left.length + 1).toLowerCase()}` : "";
  return `${family}${tag}-ollama${family.endsWith("-gguf") ? "" : "-gguf"}`;
}
