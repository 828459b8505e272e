import { compareText } from "../domain/diagnostic.ts";
import { lookupKnownModel, type KnownModel, type KnownModels, type ModelCapabilities } from "./known-models.ts";

/** What a model is wanted for, in the words of spec 068. */
export type ModelRole = "general" | "coding" | "fast" | "tool-use" | "vision";

/** Tokens up to which spec 068 calls a model fast; a statement about context, not about speed. */
const fastContext = 8192;

/** True when the capabilities fit the role. */
export function matchesRole(capabilities: ModelCapabilities, role: ModelRole): boolean {
  switch (role) {
    case "general":
      return true;
    case "coding":
      return capabilities.codingOptimized;
    case "fast":
      return capabilities.contextSize <= fastContext;
    case "tool-use":
      return capabilities.toolCalling;
    case "vision":
      return capabilities.vision;
  }
}

/** The known models that fit a role, in the order of the table. */
export function knownModelsForRole(table: KnownModels, role: ModelRole): readonly KnownModel[] {
  return table.filter((known) => matchesRole(known.capabilities, role));
}

/** A model on this machine, as far as recommending needs it. */
export interface Candidate {
  readonly name: string;
  readonly state: "not-present" | "pulling" | "available" | "loading" | "loaded" | "error";
  readonly capabilities: ModelCapabilities;
  /** ISO 8601 in UTC. */
  readonly lastUsed?: string;
}

/** The record under which a candidate is judged: the table's, else one made of what was observed (family Other, temperature 0.7). */
export function recordOf(table: KnownModels, candidate: Candidate): KnownModel {
  const { name, capabilities } = candidate;
  return lookupKnownModel(table, name) ?? { name, displayName: name, family: "Other", capabilities, defaultTemperature: 0.7 };
}

/** The most recently used of the models that are here and fit the role; models in error last, equals by name. Undefined when none fits. */
export function recommend(table: KnownModels, candidates: readonly Candidate[], role: ModelRole): Candidate | undefined {
  const fitting = candidates
    .filter(({ state }) => state !== "not-present" && state !== "pulling")
    .filter((candidate) => matchesRole(recordOf(table, candidate).capabilities, role));
  const [best] = fitting.toSorted(
    (a, b) =>
      Number(a.state === "error") - Number(b.state === "error") || compareText(b.lastUsed ?? "", a.lastUsed ?? "") || compareText(a.name, b.name),
  );
  return best;
}
