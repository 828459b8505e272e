import { isJsonObject } from "../../registry/json-text.ts";
import { ownRecordOf } from "../../registry/own-record.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { versionLock } from "../../registry/version-lock.ts";
import type { Host } from "../host.ts";
import { readProject } from "../read-project.ts";
import { editedTexts, readRegistry, writeRegistry } from "./registry-files.ts";

/**
 * Brings locks and times of verification in the registry files up to date, so that programs see them before the next pass. Observes nothing; does
 * nothing where there is no registry yet. To be called under the instance lock.
 */
export async function refreshLocks(host: Host, signal: AbortSignal): Promise<void> {
  const project = await readProject(host, signal);
  if (project.state === "invalid") return;
  const registry = await readRegistry(host, project);
  if (!registry.usable) return;
  const memory = await host.state.load();
  const refreshed = (entry: RegistryEntry): RegistryEntry => {
    if (ownRecordOf(entry) === undefined) return entry;
    const now = versionLock(entry.name, { lock: project.lock, memory });
    const kept = keepsRegistryLock(entry) && !now.locked;
    return { ...entry, version_lock: kept ? { ...entry.version_lock, last_verified: now.last_verified ?? entry.version_lock.last_verified } : now };
  };
  const entries = registry.discovered.map(refreshed);
  if (entries.some((entry, index) => differs(entry, registry.discovered[index]))) await writeRegistry(host, editedTexts(registry, entries), false);
}

/** A lock that came from another program's registry stays until the lock file has one. */
function keepsRegistryLock({ metadata }: RegistryEntry): boolean {
  const record = metadata["reconciler"];
  return isJsonObject(record) && record["registry_lock"] === true;
}

function differs({ version_lock: now }: RegistryEntry, before: RegistryEntry | undefined): boolean {
  const { locked, expected_aggregate_sha256, last_verified } = before?.version_lock ?? {};
  return now.locked !== locked || now.expected_aggregate_sha256 !== expected_aggregate_sha256 || now.last_verified !== last_verified;
}
