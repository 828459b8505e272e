import type { Assessment } from "./assess.ts";
import { canonicalCapability } from "../capability-name.ts";
import type { Drift } from "../drift.ts";
import type { Model } from "../model.ts";
import type { Provenance } from "../observed.ts";
import { block, join, type PlanInput, type PlanPart } from "./plan-input.ts";
import { contractOf, fitContract, type CertainFacts } from "../role-contract.ts";
import type { Role } from "../role.ts";

const guesses: ReadonlySet<Provenance> = new Set(["known-model", "name"]);

/** The certain facts of a declared model. */
function certainFacts(assessment: Assessment): CertainFacts {
  const facts = assessment.state === "held" ? assessment.holding.facts : undefined;
  const observed = Object.entries(facts?.capabilities ?? {}).flatMap(([name, { value, from }]) =>
    guesses.has(from) ? [] : [[canonicalCapability(name), value] as const],
  );
  const stated = Object.entries(assessment.model.capabilities).map(([name, value]) => [canonicalCapability(name), value] as const);
  return { capabilities: new Map([...observed, ...stated]), ...(facts?.contextLength === undefined ? {} : { contextLength: facts.contextLength }) };
}

/** A role whose contract is broken, with the reason for people. */
interface Breach {
  readonly role: Role;
  readonly message: string;
  readonly remedy: string;
}

type Subject = Pick<PlanInput, "desired">;

/** Blocks for every role that nobody fills, or that names a model which is certain not to meet its contract. */
export function planRoles(assessments: readonly Assessment[], input: Subject): PlanPart {
  return join(
    breachesOf(assessments, input).map(({ role, message, remedy }) =>
      block({ object: `role/${role.metadata.name}`, cause: "role", reason: message, remedy, location: role.metadata.location }),
    ),
  );
}

/** The drift of class `role`: broken contracts, and models that claim a role they are certain not to fill. */
export function roleFindings(assessments: readonly Assessment[], input: Subject): readonly Omit<Drift, "id" | "level" | "response">[] {
  const broken = breachesOf(assessments, input).map(
    ({ role, message }) => ({ object: `role/${role.metadata.name}`, class: "role", message, location: role.metadata.location }) as const,
  );
  const claims = assessments.flatMap((assessment) => {
    const reason = unfitReason(assessment, input);
    const { metadata } = assessment.model;
    return reason === undefined
      ? []
      : [{ object: `model/${metadata.name}`, class: "role", message: `${metadata.name} ${reason}`, location: metadata.location } as const];
  });
  return [...broken, ...claims];
}

/** Models that do not meet the contract of a role they claim, with the reason; these are not to be served for it. */
export function unfitModels(assessments: readonly Assessment[], input: Subject): ReadonlyMap<string, string> {
  return new Map(
    assessments.flatMap((assessment) => {
      const reason = unfitReason(assessment, input);
      return reason === undefined ? [] : [[assessment.model.metadata.name, reason] as const];
    }),
  );
}

function unfitReason(assessment: Assessment, { desired }: Subject): string | undefined {
  if (assessment.model.lifecycle.state === "deprecated") return undefined;
  const facts = certainFacts(assessment);
  const reasons = assessment.model.roles.flatMap((claim) => {
    const fit = fitContract(
      contractOf(
        claim.role,
        desired.roles.find((role) => role.metadata.name === claim.role),
      ),
      facts,
    );
    return fit.state === "unfit" ? [`claims the role ${claim.role} and ${fit.reason}`] : [];
  });
  return reasons.length === 0 ? undefined : reasons.join("; ");
}

function breachesOf(assessments: readonly Assessment[], { desired }: Subject): readonly Breach[] {
  return desired.roles.flatMap((role) => breachOf(role, assessments) ?? []);
}

function breachOf(role: Role, assessments: readonly Assessment[]): Breach | undefined {
  const { name } = role.metadata;
  const named = [...role.prefer, ...(role.fallback === undefined ? [] : [role.fallback])];
  const usable = assessments.filter((assessment) => assessment.model.lifecycle.state === "active");
  const candidates = usable.filter(({ model }) => claims(model, name) || named.includes(model.metadata.name));
  if (candidates.length === 0) return { role, message: `no model fills the role ${name}`, remedy: `add ${name} to the roles of a Model` };
  const contract = contractOf(name, role);
  const unfit = candidates.flatMap((assessment) => {
    const fit = fitContract(contract, certainFacts(assessment));
    return fit.state === "unfit" ? [{ model: assessment.model.metadata.name, reason: fit.reason }] : [];
  });
  const remedy = `name a model that meets the role's contract, or correct its capabilities in the manifest after making sure that they are true`;
  const [preferred] = unfit.filter(({ model }) => named.includes(model));
  if (preferred !== undefined) return { role, message: `the role ${name} names ${preferred.model}, which ${preferred.reason}`, remedy };
  if (unfit.length < candidates.length) return undefined;
  return { role, message: `no model fills the role ${name}: ${unfit.map(({ model, reason }) => `${model} ${reason}`).join("; ")}`, remedy };
}

function claims(model: Model, role: string): boolean {
  return model.roles.some((claim) => claim.role === role);
}
