import type { Json, JsonObject } from "../domain/json.ts";
import type { StoreId } from "../domain/observed.ts";
import type { RegistryEntry } from "./entry.ts";
import { isJsonObject } from "./json-text.ts";

/** What was seen of a model when the registry was written. */
export type EntryState = "present" | "incomplete" | "corrupt" | "missing" | "unknown" | "remote";

/** What Holdfast keeps of its own in an entry, under `metadata.reconciler`: the one place that survives a save by ImageWorks. */
export interface OwnRecord {
  /** Store and full reference: the identity that stays when names change. */
  readonly uid: string;
  readonly store?: StoreId;
  readonly ref?: string;
  readonly state: EntryState;
  /** A manifest declares the model. */
  readonly declared: boolean;
  /** Content id: Ollama manifest digest or Hub commit. */
  readonly digest?: string;
  readonly naming?: string;
}

const states: ReadonlySet<string> = new Set<EntryState>(["present", "incomplete", "corrupt", "missing", "unknown", "remote"]);

function isEntryState(value: Json | undefined): value is EntryState {
  return typeof value === "string" && states.has(value);
}

function isStoreId(value: Json | undefined): value is StoreId {
  return typeof value === "string" && (value === "huggingface" || value === "directory" || value.startsWith("ollama:"));
}

/** Our own record in an entry, or undefined when somebody else wrote the entry. */
export function ownRecordOf(entry: Pick<RegistryEntry, "metadata">): OwnRecord | undefined {
  const record = entry.metadata["reconciler"];
  if (!isJsonObject(record)) return undefined;
  const { uid, store, ref, state, declared, digest, naming } = record;
  if (typeof uid !== "string" || !isEntryState(state)) return undefined;
  return {
    uid,
    state,
    declared: declared === true,
    ...(isStoreId(store) ? { store } : {}),
    ...(typeof ref === "string" ? { ref } : {}),
    ...(typeof digest === "string" ? { digest } : {}),
    ...(typeof naming === "string" ? { naming } : {}),
  };
}

/** True when Holdfast projected this layer entry from a manifest; such entries are output and never input. */
export function isOwnLayerEntry(sparse: JsonObject): boolean {
  const metadata = sparse["metadata"];
  return isJsonObject(metadata) && isJsonObject(metadata["reconciler"]);
}

/** Names that the model had in this registry before. */
export function earlierNamesIn(entry: Pick<RegistryEntry, "metadata">): readonly string[] {
  const record = entry.metadata["reconciler"];
  const names = isJsonObject(record) ? record["earlier_names"] : undefined;
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}
