import type { JsonObject } from "../domain/json.ts";
import type { Memory } from "../domain/inventory.ts";
import { sameRef } from "../domain/placement.ts";
import type { MergedCapabilities } from "./capabilities.ts";
import type { Integrity } from "./integrity.ts";
import { stated } from "./json-text.ts";
import { eraOfName, type NamingEra } from "./naming-eras.ts";
import type { EntryState } from "./own-record.ts";
import { ollamaTag, type Subject } from "./subject.ts";

const reasons: Readonly<Record<EntryState, string>> = {
  present: "Present",
  incomplete: "FilesMissing",
  corrupt: "WrongBytes",
  missing: "NotInStore",
  unknown: "NotObserved",
  remote: "Remote",
};

/** Everything that is ours in an entry, for `metadata.reconciler`: keys elsewhere are lost when ImageWorks saves. */
export function reconcilerRecord(subject: Subject, integrity: Integrity | undefined, capabilities: MergedCapabilities, memory: Memory): JsonObject {
  const { name, model, store, ref, holding } = subject;
  const state = stateOf(subject, integrity);
  return stated({
    uid: `${store ?? "remote"}/${ref ?? name}`,
    store,
    ref,
    state,
    declared: model !== undefined,
    digest: holding?.contentId ?? null,
    naming: namingOf(subject),
    integrity: integrity?.record ?? null,
    facts: factsOf(subject),
    provenance: capabilities.provenance,
    deprecation: deprecationOf(subject, memory),
    conditions: [readyCondition(state, subject.absence?.reason ?? reasons[state])],
  });
}

function namingOf(subject: Subject): NamingEra {
  if (subject.model !== undefined) return "declared";
  const tag = ollamaTag(subject);
  return (tag === undefined ? undefined : eraOfName(subject.name, tag)) ?? "unknown";
}

function stateOf({ holding, absence }: Subject, integrity: Integrity | undefined): EntryState {
  if (holding?.facts.remoteHost !== undefined) return "remote";
  return integrity?.state ?? absence?.state ?? "unknown";
}

function factsOf({ holding }: Subject): JsonObject {
  const facts = holding?.facts;
  return {
    architecture: facts?.architecture ?? null,
    parameter_count: facts?.parameterCount ?? null,
    context_length: facts?.contextLength ?? null,
    remote_host: facts?.remoteHost ?? null,
  };
}

/** The condition `Ready` of an entry; without times, so that it changes only when the state does. */
export function readyCondition(state: EntryState, reason: string): JsonObject {
  const status = state === "unknown" ? "Unknown" : state === "present" || state === "remote" ? "True" : "False";
  return { type: "Ready", status, reason };
}

/** The standing decision that a model is on its way out; a manifest that declares it active overrules it. */
export function deprecationOf({ store, ref, name, model }: Subject, memory: Memory): JsonObject | undefined {
  if (model?.lifecycle.state === "active") return undefined;
  const found = memory.deprecations.find((item) =>
    store === undefined || ref === undefined ? item.name === name : item.store === store && sameRef(store, item.ref, ref),
  );
  return found === undefined ? undefined : { since: found.since, reason: found.reason };
}
