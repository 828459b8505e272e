import type { Action, Precondition } from "../domain/action.ts";
import { fingerprint } from "../domain/fingerprint.ts";
import type { Holding, UnreadableHolding } from "../domain/observed.ts";
import type { ModelReader } from "../ports/model-store.ts";

/** Looks again, right before an action, at what the plan relied on. Returns why the action must not run, or undefined. */
export async function checkPreconditions(action: Action, readers: readonly ModelReader[], signal: AbortSignal): Promise<string | undefined> {
  for (const precondition of action.preconditions) {
    const reader = readers.find((candidate) => candidate.store === precondition.store);
    if (reader === undefined) return `nothing reads ${precondition.store}`;
    const reason = breach(precondition, await reader.inspect(precondition.ref, "presence", signal));
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function breach(precondition: Precondition, found: Holding | UnreadableHolding | undefined): string | undefined {
  const { kind, ref } = precondition;
  if (kind === "absent") return found === undefined || "failure" in found ? undefined : `${ref} appeared since the plan was made`;
  if (found === undefined) return `${ref} vanished since the plan was made`;
  if ("failure" in found) return `${ref} cannot be read any more: ${found.failure.message}`;
  if (kind === "not-loaded") return found.loaded === undefined ? undefined : `a server has ${ref} in memory`;
  return fingerprint(found) === precondition.fingerprint ? undefined : `${ref} changed since the plan was made`;
}
