import type { Backend } from "../domain/backend.ts";
import type { Model } from "../domain/model.ts";
import type { Holding, StoreId } from "../domain/observed.ts";
import { parseOllamaName, shortOllamaName } from "../domain/ollama-name.ts";
import { ollamaBackendOf } from "../domain/placement.ts";
import type { EntryState } from "./own-record.ts";

/** A model that gets an entry: declared, held, or both. */
export interface Subject {
  readonly name: string;
  readonly model?: Model;
  readonly store?: StoreId;
  readonly ref?: string;
  readonly holding?: Holding;
  /** Why there is no holding. */
  readonly absence?: { readonly state: Extract<EntryState, "missing" | "unknown" | "remote">; readonly reason: string };
}

/** True when the bytes are, or would be, in an Ollama store. */
export function inOllama({ model, store }: Pick<Subject, "model" | "store">): boolean {
  return model?.source.kind === "ollama" || store?.startsWith("ollama:") === true;
}

/** The name by which Ollama knows the model, as it was written and always with a tag; undefined for models elsewhere. */
export function ollamaTag(subject: Pick<Subject, "model" | "ref" | "store">): string | undefined {
  const source = subject.model?.source;
  if (source?.kind === "ollama") {
    const written = source.model.replace(/^https?:\/\//, "");
    return written.lastIndexOf(":") > written.lastIndexOf("/") ? written : `${written}:latest`;
  }
  if (!inOllama(subject) || subject.ref === undefined) return undefined;
  const parsed = parseOllamaName(subject.ref);
  return "name" in parsed ? shortOllamaName(parsed.name) : subject.ref;
}

/** The backend that serves the model, as far as the manifests tell. */
export function backendOf({ model, store }: Pick<Subject, "model" | "store">, backends: readonly Backend[]): Backend | undefined {
  if (model?.source.kind === "ollama") return ollamaBackendOf(model, backends);
  const name = model?.backend ?? (store?.startsWith("ollama:") === true ? store.slice("ollama:".length) : undefined);
  return backends.find((backend) => backend.metadata.name === name);
}

/** The repository or folder that names a model which is not in Ollama. */
export function originOf({ name, model, holding }: Subject): string {
  if (model?.source.kind === "huggingface") return model.source.repo;
  if (model !== undefined || holding === undefined) return name;
  return holding.ref.replace(/@[0-9a-f]{40}$/, "").replace(/\/+$/, "");
}
