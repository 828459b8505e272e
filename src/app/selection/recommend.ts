import type { Candidate } from "../../domain/selection/candidate.ts";
import type { SelectionRequest } from "../../domain/selection/hurdles.ts";
import type { Holding, ObservedState } from "../../domain/observed.ts";
import { sameRef } from "../../domain/placement.ts";
import { capabilitiesOf, knownModels, type ModelCapabilities } from "../../registry/known-models.ts";
import { recommend, type Candidate as Suggestion, type ModelRole } from "../../registry/model-roles.ts";
import { ownRecordOf } from "../../registry/own-record.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { selectFrom, type SelectionView } from "./select.ts";

/** The best model for a purpose, or none, which is no error (requirement S2.72). */
export interface Recommendation {
  readonly role: string;
  readonly name?: string;
  readonly because: string;
}

/** The purposes of spec 068 under the spellings in use. */
const purposes: Readonly<Record<string, ModelRole>> = {
  general: "general",
  coding: "coding",
  code: "coding",
  fast: "fast",
  "tool-use": "tool-use",
  tooluse: "tool-use",
  tools: "tool-use",
  vision: "vision",
};

/** Recommends by a role that somebody declared or claims, else by a purpose of spec 068: the most recently used model that is here and fits. */
export function recommendFor(view: SelectionView, role: string, request: Omit<SelectionRequest, "asked">): Recommendation {
  const claimed =
    view.roles.some(({ metadata }) => metadata.name === role) ||
    view.candidates.some((candidate) => candidate.roles.some((claim) => claim.role === role));
  const purpose = purposes[role.toLowerCase()];
  if (!claimed && purpose !== undefined) return byPurpose(view, role, purpose, request);
  const answer = selectFrom(view, { ...request, asked: `role/${role}` });
  if (answer.state === "refused") return { role, because: answer.message };
  return { role, name: answer.candidate.name, because: answer.trail[0]?.because ?? "" };
}

function byPurpose(view: SelectionView, role: string, purpose: ModelRole, request: Omit<SelectionRequest, "asked">): Recommendation {
  const entries = new Map(view.entries.map((entry) => [entry.name, entry]));
  const shown = view.candidates.filter((candidate) => candidate.deprecated === undefined && (request.includeTesting || !candidate.testing));
  const suggestions = shown.map((candidate) => suggestionOf(candidate, entries.get(candidate.name), view.observed));
  // Observed facts go before the table, so the table has had its say in the suggestions already.
  const best = recommend([], suggestions, purpose);
  if (best === undefined) return { role, because: `no model on this machine fits ${role}` };
  return {
    role,
    name: best.name,
    because: best.lastUsed === undefined ? "the first by name that fits; none was used yet" : `used last at ${best.lastUsed}`,
  };
}

function suggestionOf(candidate: Candidate, entry: RegistryEntry | undefined, observed: ObservedState): Suggestion {
  const holding = entry === undefined ? undefined : holdingOf(entry, observed);
  const loaded = holding?.loaded !== undefined;
  const lastUsed = loaded ? observed.at : candidate.lastUsed;
  return {
    name: candidate.name,
    state: stateOf(candidate, loaded),
    capabilities: abilitiesOf(candidate),
    ...(lastUsed === undefined ? {} : { lastUsed }),
  };
}

function stateOf({ held }: Candidate, loaded: boolean): Suggestion["state"] {
  if (loaded) return "loaded";
  if (held === "present" || held === "remote") return "available";
  return held === "incomplete" || held === "corrupt" ? "error" : "not-present";
}

function abilitiesOf(candidate: Candidate): ModelCapabilities {
  const known = capabilitiesOf(knownModels, candidate.servedId);
  const can = (capability: string, otherwise: boolean): boolean => candidate.capabilities[capability] ?? otherwise;
  return {
    contextSize: candidate.contextLength ?? known.contextSize,
    toolCalling: can("tools", known.toolCalling),
    vision: can("vision", known.vision),
    jsonMode: can("json_mode", known.jsonMode),
    codingOptimized: can("coding_optimized", known.codingOptimized),
    embedding: can("embedding", known.embedding),
  };
}

function holdingOf(entry: RegistryEntry, { stores }: ObservedState): Holding | undefined {
  const record = ownRecordOf(entry);
  const { store, ref } = record ?? {};
  if (store === undefined || ref === undefined) return undefined;
  const observation = stores.find((candidate) => candidate.store === store);
  return observation?.state === "observed" ? observation.holdings.find((holding) => sameRef(store, holding.ref, ref)) : undefined;
}
