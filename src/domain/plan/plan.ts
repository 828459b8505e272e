import type { Action, Blocked, Bookkeeping, Plan, PlanSummary, Verb } from "../action.ts";
import { assess, type Assessment } from "./assess.ts";
import { compareText } from "../diagnostic.ts";
import { sha256, type Sha256 } from "../digest.ts";
import { applyGuards } from "./guards.ts";
import { canonicalJson } from "../json.ts";
import { planDeclared } from "./plan-declared.ts";
import { join, type ActionDraft, type PlanInput } from "./plan-input.ts";
import { unmanagedHoldings } from "./leaving.ts";
import { planLeaving } from "./plan-leaving.ts";
import { planServing } from "./plan-serving.ts";
import { discoveryBookkeeping, suspicionBookkeeping, suspiciousLosses } from "./plan-watch.ts";
import { sameRef } from "../placement.ts";
import type { Verdict } from "../policy.ts";
import { planRuntime } from "./plan-runtime.ts";
import { planRoles, unfitModels } from "./plan-roles.ts";
import { bytesToFree } from "../sizes.ts";
import type { Holding } from "../observed.ts";

/** First what adds and mends, deletions last, so that an interrupted run never has less than before. */
const verbOrder: readonly Verb[] = [
  "import",
  "undeprecate",
  "unload",
  "tag",
  "repair",
  "pull",
  "hash",
  "deprecate",
  "forget",
  "deactivate",
  "activate",
  "load",
  "purge",
];

/** Decides everything that has to be done. Pure: the same input gives the same bytes; nothing unknown leads to an action. */
export function plan(input: PlanInput): Plan {
  const assessments = assessAll(input);
  const declared = join(assessments.map((assessment) => planDeclared(assessment, input)));
  const losses = suspiciousLosses(input);
  const all = join([
    declared,
    planRuntime(assessments, declared, input),
    planLeaving(assessments, input),
    planRoles(assessments, input),
    planServing(assessments, input, { declared, unfit: unfitModels(assessments, input) }),
    { actions: [], blocked: unknownStores(input), bookkeeping: [] },
  ]);
  const guarded = applyGuards(all, losses, input);
  const drafts = guarded.actions.filter((draft) => isSelected(draft.name, input));
  const actions = numberActions(withFreedBytes(sortDrafts(drafts), input));
  const blocked = sortBlocked(
    guarded.blocked.filter((item) => isSelected(item.object.replace(/^(?:model|backend)\//, ""), input) || item.object.startsWith("store/")),
  );
  const bookkeeping = [...guarded.bookkeeping, ...discoveryBookkeeping(assessments, input), ...suspicionBookkeeping(losses, input)].toSorted((a, b) =>
    compareText(canonicalJson(a), canonicalJson(b)),
  );
  const body = {
    formatVersion: "1.0",
    toolVersion: input.toolVersion,
    createdAt: input.now,
    revision: input.desired.revision,
    ...(input.lockDigest === undefined ? {} : { lockDigest: input.lockDigest }),
    actions,
    blocked,
    bookkeeping,
    summary: summarize(actions, blocked, assessments, unmanagedHoldings(assessments, input).length),
  } as const;
  return { ...body, digest: planDigest(body) };
}

/** Assesses every declared model, in the order of their names. */
export function assessAll(input: Pick<PlanInput, "desired" | "lock" | "observed" | "memory" | "upstream">): readonly Assessment[] {
  const models = input.desired.models.toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
  return models.map((model) => assess(model, input));
}

/** SHA-256 over the canonical JSON of a plan without `createdAt`, `toolVersion` and instants of bookkeeping: equal decisions have equal digests. */
export function planDigest(body: Omit<Plan, "digest">): Sha256 {
  const { createdAt: _at, toolVersion: _tool, bookkeeping, ...rest } = body;
  return sha256(canonicalJson({ ...rest, bookkeeping: bookkeeping.map(withoutInstant) }));
}

/** What a bookkeeping change says, whenever it is said. */
function withoutInstant(change: Bookkeeping): unknown {
  if (change.kind === "deprecate") return { ...change, deprecation: { ...change.deprecation, since: "" } };
  if (change.kind === "discover") return { ...change, model: { ...change.model, firstSeen: "" } };
  return change.kind === "suspect" ? { ...change, suspicion: { ...change.suspicion, firstSeen: "" } } : change;
}

/** The plan with what policies deny moved from the actions to the blocked things. */
export function withVerdicts(plan: Plan, verdicts: readonly Verdict[]): Plan {
  const denials = verdicts.filter((verdict) => verdict.effect === "deny");
  const denied = plan.actions.flatMap((action): readonly (readonly [string, Blocked])[] => {
    const denial = denials.find((verdict) => verdict.actionId === undefined || verdict.actionId === action.id);
    if (denial === undefined) return [];
    const reason = `${action.verb} denied by policy ${denial.rule}: ${denial.message}`;
    const location = action.location === undefined ? {} : { location: action.location };
    return [
      [action.id, { object: action.object, cause: "policy", reason, ...location, ...(denial.remedy === undefined ? {} : { remedy: denial.remedy }) }],
    ];
  });
  return withBlocked(plan, denied);
}

/** The plan with some actions, by id, moved to the blocked things, together with everything that depends on them. */
export function withBlocked(plan: Plan, stopped: readonly (readonly [string, Blocked])[]): Plan {
  if (stopped.length === 0) return plan;
  const byId = new Map(stopped);
  for (const action of plan.actions) {
    const missing = action.dependsOn.find((id) => byId.has(id));
    if (missing !== undefined && !byId.has(action.id))
      byId.set(action.id, {
        object: action.object,
        cause: byId.get(missing)?.cause ?? "guard",
        reason: `${action.verb} needs ${missing}, which may not run`,
      });
  }
  const actions = plan.actions.filter((action) => !byId.has(action.id));
  const blocked = sortBlocked([...plan.blocked, ...byId.values()]);
  const { digest: _digest, ...body } = plan;
  const next = { ...body, actions, blocked, summary: { ...plan.summary, ...countPlan(actions, blocked) } };
  return { ...next, digest: planDigest(next) };
}

function isSelected(name: string, input: PlanInput): boolean {
  return input.options.only.length === 0 || input.options.only.includes(name);
}

function unknownStores(input: PlanInput): readonly Blocked[] {
  return input.observed.stores.flatMap((observation): readonly Blocked[] => {
    if (observation.state === "observed") return [];
    const { failure, store } = observation;
    return [
      {
        object: `store/${store}`,
        cause: "unknown",
        reason: failure.message,
        failure,
        ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }),
      },
    ];
  });
}

function sortDrafts(drafts: readonly ActionDraft[]): readonly ActionDraft[] {
  const rank = (draft: ActionDraft): number =>
    draft.after.length > 0 && draft.verb === "import" ? verbOrder.indexOf("hash") : verbOrder.indexOf(draft.verb);
  return drafts.toSorted((a, b) => rank(a) - rank(b) || compareText(a.object, b.object) || compareText(a.ref, b.ref));
}

function sortBlocked(blocked: readonly Blocked[]): readonly Blocked[] {
  return blocked.toSorted((a, b) => compareText(a.object, b.object) || compareText(a.reason, b.reason));
}

function withFreedBytes(drafts: readonly ActionDraft[], input: PlanInput): readonly ActionDraft[] {
  const holdings = input.observed.stores.flatMap((observation) => (observation.state === "observed" ? observation.holdings : []));
  const removed = drafts.flatMap((draft): readonly Holding[] => {
    if (draft.verb !== "purge") return [];
    const holding = holdings.find((candidate) => candidate.store === draft.store && sameRef(draft.store, candidate.ref, draft.ref));
    return holding === undefined ? [] : [holding];
  });
  const freed = bytesToFree(removed, holdings);
  return drafts.map((draft) => {
    const index = removed.findIndex((holding) => holding.store === draft.store && sameRef(draft.store, holding.ref, draft.ref));
    const bytes = freed[index];
    return draft.verb === "purge" && bytes !== undefined ? { ...draft, bytesToFree: bytes } : draft;
  });
}

function numberActions(drafts: readonly ActionDraft[]): readonly Action[] {
  const ids = new Map(drafts.map((draft, index) => [`${draft.object} ${draft.verb}`, `a${index + 1}`]));
  return drafts.map(({ after, ...draft }, index) => {
    const dependsOn = after.flatMap((key) => ids.get(key) ?? []);
    return { id: `a${index + 1}`, ...draft, dependsOn };
  });
}

function summarize(actions: readonly Action[], blocked: readonly Blocked[], assessments: readonly Assessment[], unmanaged: number): PlanSummary {
  const touched = new Set([...actions.map((action) => action.object), ...blocked.map((item) => item.object)]);
  const unchanged = assessments.filter((assessment) => !touched.has(`model/${assessment.model.metadata.name}`)).length;
  return { ...countPlan(actions, blocked), unchanged, unmanaged };
}

function countPlan(actions: readonly Action[], blocked: readonly Blocked[]): Omit<PlanSummary, "unchanged" | "unmanaged"> {
  const counts: Partial<Record<Verb, number>> = {};
  for (const { verb } of actions) counts[verb] = (counts[verb] ?? 0) + 1;
  return {
    actions: counts,
    blocked: blocked.filter((item) => item.cause !== "unknown").length,
    unknown: blocked.filter((item) => item.cause === "unknown").length,
    bytesToDownload: actions.reduce((total, action) => total + action.bytesToDownload, 0),
    bytesToFree: actions.reduce((total, action) => total + action.bytesToFree, 0),
    destructive: actions.filter((action) => action.risk === "destructive").length,
  };
}
