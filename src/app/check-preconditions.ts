import type { Action, Precondition } from "../domain/action.ts";
import { fingerprint } from "../domain/fingerprint.ts";
import { failed } from "../domain/failure.ts";
import type { Holding, ObservedState, StoreId, UnreadableHolding } from "../domain/observed.ts";
import { observationOf, sameRef } from "../domain/placement.ts";
import type { ModelReader } from "../ports/model-store.ts";

/** Finds what is at a reference now. */
export type Look = (store: StoreId, ref: string) => Promise<Holding | UnreadableHolding | undefined>;

/** A fresh look through the reader of the store. */
export function freshLook(readers: readonly ModelReader[], signal: AbortSignal): Look {
  return async (store, ref) => {
    const reader = readers.find((candidate) => candidate.store === store);
    if (reader === undefined) throw failed("unsupported", `nothing reads ${store}`);
    return reader.inspect(ref, "presence", signal);
  };
}

/** What an observation saw, for actions that change nothing outside. */
export function recordedLook({ stores }: ObservedState): Look {
  return async (store, ref) => {
    const observation = observationOf(stores, store);
    return observation?.state === "observed" ? observation.holdings.find((holding) => sameRef(store, holding.ref, ref)) : undefined;
  };
}

/** Compares what a plan relied on with what is there right before an action. Returns why the action must not run, or undefined. */
export async function checkPreconditions(action: Action, look: Look): Promise<string | undefined> {
  for (const precondition of action.preconditions) {
    const reason = breach(precondition, await look(precondition.store, precondition.ref));
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
