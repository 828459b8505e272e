import { isSwitch, type Action, type Plan } from "../action.ts";
import { isEngine } from "../activation/arguments.ts";
import type { Assessment, Defect } from "./assess.ts";
import { compareText } from "../diagnostic.ts";
import { sha256 } from "../digest.ts";
import type { Drift, DriftClass } from "../drift.ts";
import { isStaleRunner } from "./kept-loaded.ts";
import { lockEntryOf } from "../lock.ts";
import type { Holding, VerificationLevel } from "../observed.ts";
import type { PlanInput } from "./plan-input.ts";
import { itemAt } from "../place-index.ts";
import { roleFindings } from "./plan-roles.ts";
import { servingProblem, wantedId } from "./serving-problem.ts";

/** What is found in the memory of a server is answered by other actions than what is found on disk. */
type Finding = Omit<Drift, "id" | "level" | "response"> & { readonly about?: "memory" };

/** Every difference between desired and observed state, each with what the plan does about it. */
export function diff(assessments: readonly Assessment[], plan: Plan, input: PlanInput): readonly Drift[] {
  const findings: readonly Finding[] = [
    ...assessments.flatMap((assessment) => declaredFindings(assessment, input.observed.level)),
    ...assessments.flatMap((assessment) => lockFindings(assessment, input)),
    ...unknownStoreFindings(input),
    ...extraFindings(plan, input),
    ...staleRunners(assessments, input),
    ...memoryFindings(plan),
    ...servingFindings(plan, input),
    ...roleFindings(assessments, input),
  ];
  return findings
    .map(({ about, ...finding }): Drift => ({
      ...finding,
      id: driftId(finding),
      level: input.observed.level,
      response: responseTo(finding, plan, about === "memory"),
    }))
    .toSorted((a, b) => compareText(a.object, b.object) || compareText(a.class, b.class) || compareText(a.path ?? "", b.path ?? ""));
}

function driftId(finding: Finding): string {
  return sha256([finding.class, finding.object, finding.ref ?? "", finding.path ?? ""].join("\0")).slice(0, 12);
}

function responseTo(finding: Omit<Finding, "about">, plan: Plan, isMemory: boolean): string {
  const acting = plan.actions.filter((candidate) => candidate.object === finding.object && candidate.verb !== "import");
  const action = acting.find((candidate) => concernsMemory(candidate) === isMemory);
  if (action !== undefined) return action.verb;
  const blocked = plan.blocked.find((candidate) => candidate.object === finding.object);
  if (blocked === undefined) return "reported only";
  return blocked.reason === finding.message ? "blocked" : `blocked: ${blocked.reason}`;
}

function concernsMemory({ verb }: Action): boolean {
  return verb === "load" || verb === "unload";
}

/** What is declared of memory and not so. A model that is fetched or replaced first, or that runs an older content, is reported as that. */
function memoryFindings({ actions }: Plan): readonly Finding[] {
  const others = new Set(actions.filter((action) => isBytes(action) || action.cause === "stale-runner").map((action) => action.object));
  return actions
    .filter((action) => concernsMemory(action) && !others.has(action.object))
    .map(({ object, store, ref, location, reason }): Finding => ({
      object,
      store,
      ref,
      class: "config",
      about: "memory",
      message: `${ref}: ${reason}`,
      ...(location === undefined ? {} : { location }),
    }));
}

function isBytes({ verb }: Action): boolean {
  return verb === "pull" || verb === "repair" || verb === "tag";
}

function declaredFindings(assessment: Assessment, level: VerificationLevel): readonly Finding[] {
  if (assessment.state === "remote") return [];
  const { metadata, lifecycle } = assessment.model;
  const base = { object: `model/${metadata.name}`, store: assessment.store, location: metadata.location } as const;
  switch (assessment.state) {
    case "unknown":
      return [{ ...base, class: "unknown", message: assessment.failure.message }];
    case "unlockable":
      return [{ ...base, class: "config", message: assessment.problem }];
    case "missing":
      return lifecycle.state === "deprecated"
        ? []
        : [{ ...base, ...refOf(assessment.ref), class: "missing", message: `${assessment.ref ?? metadata.name} is not in ${assessment.store}` }];
    case "unreadable":
      return [{ ...base, ref: assessment.ref, class: "corrupt", message: `${assessment.ref} cannot be read: ${assessment.failure.message}` }];
    case "held":
      return heldFindings(assessment, base, level);
  }
}

function refOf(ref: string | undefined): { readonly ref?: string } {
  return ref === undefined ? {} : { ref };
}

/** Files that a full look was asked to read and could not. */
function unreadFiles(holding: Holding, level: VerificationLevel): number {
  if (level !== "full") return 0;
  return holding.artifacts.filter(({ found }) => found.state === "present" && found.level === "presence").length;
}

function heldFindings(
  held: Extract<Assessment, { state: "held" }>,
  base: Pick<Finding, "object" | "store" | "location">,
  level: VerificationLevel,
): readonly Finding[] {
  const { holding, lock } = held;
  const ref = { ref: holding.ref };
  if (held.identity === "different") {
    const expected = lock?.source.kind === "ollama" ? { expected: lock.source.manifestDigest } : {};
    const actual = holding.contentId === undefined ? {} : { actual: holding.contentId };
    return [{ ...base, ...ref, class: "digest", message: `${holding.ref} has other content than the lock`, ...expected, ...actual }];
  }
  const unverified: readonly Finding[] =
    held.unverified.length === 0
      ? []
      : [
          {
            ...base,
            ...ref,
            class: "unverified",
            message: `${held.unverified.length} locked files of ${holding.ref} were not hashed since they last changed`,
          },
        ];
  const unread = held.lock === undefined ? unreadFiles(holding, level) : 0;
  const unproven: readonly Finding[] =
    unread === 0 ? [] : [{ ...base, ...ref, class: "unverified", message: `${unread} files of ${holding.ref} could not be read from here` }];
  return [...held.defects.map((defect) => defectFinding(defect, holding, base)), ...unverified, ...unproven];
}

const defectClass: Readonly<Record<Defect["kind"], DriftClass>> = {
  missing: "incomplete",
  incomplete: "incomplete",
  corrupt: "corrupt",
  unreadable: "unknown",
  unexpected: "extra",
};

function defectFinding(defect: Defect, holding: Holding, base: Pick<Finding, "object" | "store" | "location">): Finding {
  const words: Readonly<Record<Defect["kind"], string>> = {
    missing: "is missing",
    incomplete: "has the wrong size",
    corrupt: "has wrong bytes",
    unreadable: "cannot be read",
    unexpected: "is there and not in the lock",
  };
  return {
    ...base,
    ref: holding.ref,
    class: defectClass[defect.kind],
    path: defect.path,
    message: `${defect.path} of ${holding.ref} ${words[defect.kind]}`,
    ...(defect.expected === undefined ? {} : { expected: defect.expected }),
    ...(defect.actual === undefined ? {} : { actual: defect.actual }),
  };
}

function lockFindings(assessment: Assessment, input: PlanInput): readonly Finding[] {
  const { metadata, lock } = assessment.model;
  if (!lock.required || assessment.state === "remote" || lockEntryOf(input.lock, metadata.name) !== undefined) return [];
  return [
    {
      object: `model/${metadata.name}`,
      store: assessment.store,
      location: metadata.location,
      class: "unverified",
      message: `${metadata.name} must be locked and is not in the lock file: holdfast lock ${metadata.name}`,
    },
  ];
}

function unknownStoreFindings(input: PlanInput): readonly Finding[] {
  return input.observed.stores.flatMap((observation): readonly Finding[] =>
    observation.state === "observed"
      ? []
      : [{ object: `store/${observation.store}`, store: observation.store, class: "unknown", message: observation.failure.message }],
  );
}

/** What we own and nobody declares any more, as long as the plan has to do something about it. */
function extraFindings(plan: Plan, input: PlanInput): readonly Finding[] {
  const declared = new Set(input.desired.models.map((model) => model.metadata.name));
  return plan.actions
    .filter((action) => action.verb === "deprecate" || action.verb === "purge")
    .map((action): Finding => ({
      object: action.object,
      store: action.store,
      ref: action.ref,
      class: declared.has(action.name) ? "config" : "extra",
      message: `${action.ref}: ${action.reason}`,
    }));
}

function staleRunners(assessments: readonly Assessment[], input: PlanInput): readonly Finding[] {
  const holdings = input.observed.stores.flatMap((observation) => (observation.state === "observed" ? observation.holdings : []));
  return holdings.flatMap((holding): readonly Finding[] => {
    if (!isStaleRunner(holding)) return [];
    const declared = assessments.find((assessment) => assessment.state === "held" && assessment.holding === holding)?.model.metadata.name;
    const name = itemAt(input.memory.inventory, holding)?.name ?? declared;
    const object = name === undefined ? (`holding/${holding.store}/${holding.ref}` as const) : (`model/${name}` as const);
    return [
      {
        object,
        store: holding.store,
        ref: holding.ref,
        class: "stale-runner",
        message: `the server still runs an older content of ${holding.ref}`,
        about: "memory",
        ...(holding.contentId === undefined ? {} : { expected: holding.contentId }),
        ...(holding.loaded?.digest === undefined ? {} : { actual: holding.loaded.digest }),
      },
    ];
  });
}

/** Backends that do not serve what the manifests say: for those that Holdfast starts, as the plan found; for others, by what they list. */
function servingFindings(plan: Plan, input: PlanInput): readonly Finding[] {
  return input.desired.backends.flatMap((backend): readonly Finding[] => {
    if (backend.active === undefined) return [];
    const object = `backend/${backend.metadata.name}` as const;
    const base = { object, location: backend.metadata.location };
    const found = isEngine(backend.type) ? plannedFinding(object, plan) : servingProblem(backend, input);
    if (found === undefined) return [];
    const finding = { ...base, class: found.class, message: found.message };
    return [found.class === "unknown" ? finding : { ...finding, ...servedInstead(backend.metadata.name, backend.active, input) }];
  });
}

function servedInstead(name: string, active: Parameters<typeof wantedId>[0], input: PlanInput): Pick<Finding, "expected" | "actual"> {
  const serving = input.observed.serving.find((candidate) => candidate.backend === name);
  const actual = serving?.state === "serving" ? { actual: serving.models.map((model) => model.id).join(", ") } : {};
  return { expected: wantedId(active, input), ...actual };
}

function plannedFinding(object: Finding["object"], plan: Plan): Pick<Finding, "class" | "message"> | undefined {
  const action = plan.actions.find((candidate) => candidate.object === object && isSwitch(candidate.verb));
  if (action !== undefined) return { class: "backend", message: action.reason };
  const obstacle = plan.blocked.find((candidate) => candidate.object === object);
  return obstacle === undefined ? undefined : { class: obstacle.cause === "unknown" ? "unknown" : "backend", message: obstacle.reason };
}
