import { canonicalCapability } from "./capability-name.ts";
import { compareText } from "./diagnostic.ts";
import type { Role } from "./role.ts";

/** What a model must be able to do to fill a role. */
export interface RoleContract {
  readonly name: string;
  /** Canonical capability names. */
  readonly requires: readonly string[];
  /** Tokens. */
  readonly minContext?: number;
}

/** How a model stands to a contract; `open` = nothing speaks against it, but not everything is known yet. */
export type Fit =
  | { readonly state: "fits" }
  | { readonly state: "open"; readonly unknown: readonly string[] }
  | { readonly state: "unfit"; readonly lacks: readonly string[]; readonly reason: string };

/** Roles that work on pictures, so that a model without `vision` never fills them (requirement S3.80). */
export const visualRoles: ReadonlySet<string> = new Set(["caption", "keywords", "description", "narration"]);

/** The contract of a role: what its manifest requires, and what its name implies. */
export function contractOf(name: string, role?: Pick<Role, "requires" | "minContext">): RoleContract {
  const implied = visualRoles.has(name) ? ["vision"] : [];
  const requires = [...new Set([...(role?.requires ?? []).map(canonicalCapability), ...implied])].toSorted(compareText);
  return { name, requires, ...(role?.minContext === undefined ? {} : { minContext: role.minContext }) };
}

/** What is certain about a model: observed facts with the manifest's word on top. Guesses by name or table count as not known. */
export interface CertainFacts {
  readonly capabilities: ReadonlyMap<string, boolean>;
  readonly contextLength?: number;
}

/** Compares what is certain about a model with a contract. What is not known is never held against it. */
export function fitContract(contract: RoleContract, facts: CertainFacts): Fit {
  const lacks = contract.requires.filter((name) => facts.capabilities.get(name) === false);
  const { minContext = 0 } = contract;
  const short = facts.contextLength !== undefined && facts.contextLength < minContext;
  if (lacks.length > 0 || short) {
    const reasons = [
      ...(lacks.length > 0 ? [`cannot do ${lacks.join(", ")}`] : []),
      ...(short ? [`has a context of ${facts.contextLength} tokens, not ${minContext}`] : []),
    ];
    return { state: "unfit", lacks, reason: reasons.join(" and ") };
  }
  const unknown = contract.requires.filter((name) => !facts.capabilities.has(name));
  const open = minContext > 0 && facts.contextLength === undefined ? [...unknown, "context length"] : unknown;
  return open.length === 0 ? { state: "fits" } : { state: "open", unknown: open };
}
