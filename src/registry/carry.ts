import type { JsonObject } from "../domain/json.ts";
import { registryKeys, type RegistryEntry } from "./entry.ts";
import { isJsonObject } from "./json-text.ts";
import { earlierNamesIn, ownRecordOf } from "./own-record.ts";

const ownMetadata = /^(?:reconciler|created_from_download|ollama_.*)$/;

/**
 * Keeps in a new entry what people and other programs had noted in an earlier entry of the same model and nobody observes: roles, aliases, locks,
 * probes. For declared models the manifest decides, so only measurements are kept.
 */
export function carryOver(base: RegistryEntry, earlier: RegistryEntry): RegistryEntry {
  const measured = { ...base, ...measurements(base, earlier) };
  const manifestDecides = ownRecordOf(base)?.declared === true || ownRecordOf(earlier)?.declared === true;
  const noted = manifestDecides ? measured : { ...foreignKeys(earlier), ...measured, ...notes(measured, earlier), ...keptLock(measured, earlier) };
  return withEarlierNames(noted, earlier, !manifestDecides);
}

/** Results of other bytes under the same reference are worth nothing. */
function measurements(base: RegistryEntry, earlier: RegistryEntry): Pick<RegistryEntry, "probes" | "performance" | "download_location"> {
  const before = ownRecordOf(earlier)?.digest;
  const sameBytes = before === undefined || before === ownRecordOf(base)?.digest;
  return {
    probes: base.probes.vision === null && sameBytes ? earlier.probes : base.probes,
    performance: base.performance.rolling_samples === 0 && sameBytes ? earlier.performance : base.performance,
    download_location: base.download_location ?? earlier.download_location,
  };
}

function notes(base: RegistryEntry, earlier: RegistryEntry): Partial<RegistryEntry> {
  const renamed = earlier.display_name !== earlier.name;
  const foreign = Object.entries(earlier.metadata).filter(([key]) => !ownMetadata.test(key));
  return {
    display_name: base.display_name === base.name && renamed ? earlier.display_name : base.display_name,
    roles: base.roles.length === 0 ? earlier.roles : base.roles,
    role_priority: { ...earlier.role_priority, ...base.role_priority },
    model_aliases: [...new Set([...base.model_aliases, ...earlier.model_aliases])].filter((alias) => alias !== base.name),
    generation_defaults: { ...earlier.generation_defaults, ...base.generation_defaults },
    backend_alternatives: base.backend_alternatives.length === 0 ? earlier.backend_alternatives : base.backend_alternatives,
    license: base.license ?? earlier.license,
    chat_template: base.chat_template.path === null && earlier.chat_template.path !== null ? earlier.chat_template : base.chat_template,
    profiles_placeholder: base.profiles_placeholder ?? earlier.profiles_placeholder,
    metadata: { ...Object.fromEntries(foreign), ...base.metadata },
  };
}

/** A lock from before Holdfast stays; one that came from the lock file ends with its entry there. */
function keptLock(base: RegistryEntry, earlier: RegistryEntry): Partial<Pick<RegistryEntry, "version_lock">> & { readonly metadata?: JsonObject } {
  const record = earlier.metadata["reconciler"];
  const fromRegistry = !isJsonObject(record) || record["registry_lock"] === true;
  const { version_lock: before } = earlier;
  if (base.version_lock.locked || !before.locked || !fromRegistry) return {};
  const foreign = Object.entries(earlier.metadata).filter(([key]) => !ownMetadata.test(key));
  return {
    version_lock: { ...before, last_verified: base.version_lock.last_verified ?? before.last_verified },
    metadata: { ...Object.fromEntries(foreign), ...withRecord(base, { registry_lock: true }).metadata },
  };
}

function foreignKeys(earlier: RegistryEntry): JsonObject {
  return Object.fromEntries(Object.entries(earlier).filter(([key]) => !registryKeys.includes(key)));
}

/** Whoever knew the model by another name still finds it. */
export function withEarlierNames(entry: RegistryEntry, earlier: RegistryEntry, asAliases: boolean): RegistryEntry {
  const names = [...new Set([...earlierNamesIn(entry), ...earlierNamesIn(earlier), earlier.name])].filter((name) => name !== entry.name).toSorted();
  if (names.length === 0) return entry;
  const recorded = withRecord(entry, { earlier_names: names });
  return asAliases ? { ...recorded, model_aliases: [...new Set([...entry.model_aliases, ...names])].toSorted() } : recorded;
}

/** The entry with more in our own record. */
export function withRecord(entry: RegistryEntry, more: JsonObject): RegistryEntry {
  const record = entry.metadata["reconciler"];
  return { ...entry, metadata: { ...entry.metadata, reconciler: { ...(isJsonObject(record) ? record : {}), ...more } } };
}
