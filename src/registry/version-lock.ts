import type { Memory } from "../domain/inventory.ts";
import { lockEntryOf, type LockFile } from "../domain/lock.ts";
import type { RegistryVersionLock } from "./entry.ts";
import { expectedAggregate } from "./integrity.ts";

/** The lock of a model as its registry entry states it; `last_verified` is that of the last success. */
export function versionLock(
  name: string,
  { lock, memory }: { readonly lock?: LockFile; readonly memory: Pick<Memory, "verifications"> },
): RegistryVersionLock {
  const entry = lock === undefined ? undefined : lockEntryOf(lock, name);
  const verified = memory.verifications.find((verification) => verification.name === name)?.at ?? null;
  return { locked: entry !== undefined, expected_aggregate_sha256: entry === undefined ? null : expectedAggregate(entry), last_verified: verified };
}
