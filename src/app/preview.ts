import type { Plan } from "../domain/action.ts";
import type { Assessment } from "../domain/plan/assess.ts";
import { diff } from "../domain/plan/diff.ts";
import type { Drift } from "../domain/drift.ts";
import { toJson } from "../domain/json.ts";
import type { Memory } from "../domain/inventory.ts";
import type { ObservedState, VerificationLevel } from "../domain/observed.ts";
import type { PlanInput, PlanOptions } from "../domain/plan/plan-input.ts";
import { assessAll, plan, withVerdicts } from "../domain/plan/plan.ts";
import type { Verdict } from "../domain/policy.ts";
import { upstreamQuestions } from "../domain/plan/upstream-questions.ts";
import { evaluatePolicies, type PolicyContext } from "../policy/evaluate-policies.ts";
import type { ProgressSink } from "../ports/progress.ts";
import type { Connections, Host, Purpose } from "./host.ts";
import { observeActivations } from "./activation/observe-activations.ts";
import { observe } from "./observe.ts";
import type { Project } from "./read-project.ts";
import { resolveUpstream } from "./resolve-upstream.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** What a pass found out before anything is changed. */
export interface Preview {
  readonly project: ValidProject;
  readonly connections: Connections;
  readonly observed: ObservedState;
  readonly memory: Memory;
  readonly assessments: readonly Assessment[];
  /** What the plan was made from. */
  readonly input: PlanInput;
  readonly plan: Plan;
  readonly drifts: readonly Drift[];
  readonly verdicts: readonly Verdict[];
}

/** How to look and what a person decided. */
export interface PreviewOptions {
  readonly level: VerificationLevel;
  readonly plan: PlanOptions;
  readonly purpose: Purpose;
  readonly progress: ProgressSink;
}

/** Observes, asks upstream what the plan needs, plans and evaluates policies. Writes nothing. */
export async function preview(host: Host, project: ValidProject, options: PreviewOptions, signal: AbortSignal): Promise<Preview> {
  const memory = await host.state.load();
  const desired = host.withDefaults(project.desired, memory);
  const connections = await host.connect(desired, options.purpose, { memory, lock: project.lock });
  const { machine } = connections;
  const [observed, activations] = await Promise.all([
    observe(connections, { level: options.level, progress: options.progress }, host.clock, signal),
    observeActivations(machine, desired.backends, machine.stateFile),
  ]);
  const known: Omit<PlanInput, "upstream"> = {
    desired,
    lock: project.lock,
    ...(project.lockDigest === undefined ? {} : { lockDigest: project.lockDigest }),
    observed,
    activations,
    memory,
    options: options.plan,
    now: host.clock.now(),
    toolVersion: host.toolVersion,
    nameFor: host.nameFor,
  };
  const upstream = await resolveUpstream(upstreamQuestions(assessAll({ ...known, upstream: {} }), known), connections.hubs, signal);
  const input: PlanInput = { ...known, upstream };
  const assessments = assessAll(input);
  const unchecked = plan(input);
  const verdicts = await judge(host, unchecked, input);
  const checked = withVerdicts(unchecked, verdicts);
  return {
    project: { ...project, desired },
    connections,
    observed,
    memory,
    assessments,
    input,
    plan: checked,
    drifts: diff(assessments, checked, input),
    verdicts,
  };
}

/** What the policies say about a plan. */
export async function judge(host: Host, unchecked: Plan, input: PlanInput): Promise<readonly Verdict[]> {
  return evaluatePolicies(input.desired.policies, unchecked, policyContext(host, input));
}

function policyContext(host: Host, { desired, observed }: PlanInput): PolicyContext {
  const free = observed.stores.flatMap((store) =>
    store.state === "observed" && store.freeBytes !== undefined ? [[store.store, store.freeBytes] as const] : [],
  );
  return {
    models: Object.fromEntries(desired.models.map((model) => [model.metadata.name, toJson(model)])),
    host: { name: host.name, freeBytes: Object.fromEntries(free) },
  };
}
