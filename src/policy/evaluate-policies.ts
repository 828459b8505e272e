import type { CelInput } from "@bufbuild/cel";
import type { Action, Plan } from "../domain/action.ts";
import type { Policy, Verdict } from "../domain/policy.ts";
import { loadCel } from "./cel-module.ts";
import { toCelInput } from "./cel-input.ts";
import { compilePolicy, type CompiledPolicy } from "./compiled-policy.ts";
import { judge, unitsPerEvaluation, type Bindings, type Finding } from "./judge.ts";
import { Meter } from "./meter.ts";
import { meteredEnvironment } from "./metered-environment.ts";

/** What policies see beside the plan. */
export interface PolicyContext {
  /** Declared models as JSON, by name; what an expression reads as `model` is the one of the action, or an empty map. */
  readonly models: Readonly<Record<string, object>>;
  /** The machine: its name, free bytes by store. */
  readonly host: object;
}

/** Work that all policies together may cause in one pass: some seconds. */
const unitsPerPass = 5_000_000;

/** After this much work the event loop gets its turn, so that a daemon keeps answering. */
const unitsPerTurn = 10_000;

/** Applies policies to a plan, in the order of policies and actions; a policy that reads neither `action` nor `model` once to the whole plan. */
export async function evaluatePolicies(policies: readonly Policy[], plan: Plan, context: PolicyContext): Promise<readonly Verdict[]> {
  if (policies.length === 0) return [];
  const cel = await loadCel();
  const meter = new Meter(unitsPerEvaluation);
  const env = meteredEnvironment(cel, meter);
  const pass = new Pass(plan, context, meter);
  const verdicts: Verdict[] = [];
  for (const policy of policies) verdicts.push(...(await pass.apply(compilePolicy(cel, env, policy))));
  return verdicts;
}

/** One evaluation of all policies: holds what they share and how much work is left. */
class Pass {
  readonly #plan: Plan;
  readonly #context: PolicyContext;
  readonly #meter: Meter;
  readonly #host: CelInput;
  readonly #views = new Map<Action | Plan, CelInput>();
  #left = unitsPerPass;
  #sinceTurn = 0;

  constructor(plan: Plan, context: PolicyContext, meter: Meter) {
    this.#plan = plan;
    this.#context = context;
    this.#meter = meter;
    this.#host = toCelInput(context.host);
  }

  async apply(compiled: CompiledPolicy): Promise<readonly Verdict[]> {
    if (compiled.aboutPlan || compiled.faults.length > 0) return this.#judge(compiled, undefined);
    const verdicts: Verdict[] = [];
    for (const action of this.#plan.actions) {
      if (this.#left <= 0) return [...verdicts, outOfWork(compiled.policy)];
      const found = await this.#judge(compiled, action);
      // The next action would most likely cost as much again: one refusal of the whole plan is enough.
      if (this.#meter.exhausted && compiled.policy.failurePolicy === "Fail")
        return [...verdicts, ...found.map((finding) => ofWholePlan(finding, action))];
      verdicts.push(...found.map((finding) => ({ ...finding, actionId: action.id })));
    }
    return verdicts;
  }

  async #judge(compiled: CompiledPolicy, action: Action | undefined): Promise<readonly Finding[]> {
    const found = judge(compiled, this.#bindings(compiled, action), this.#meter);
    const spent = unitsPerEvaluation - this.#meter.left;
    this.#left -= spent;
    this.#sinceTurn += spent + 10;
    if (this.#sinceTurn > unitsPerTurn) {
      this.#sinceTurn = 0;
      await new Promise((resume) => setImmediate(resume));
    }
    return found;
  }

  #bindings(compiled: CompiledPolicy, action: Action | undefined): Bindings {
    const plan = compiled.reads.has("plan") ? this.#view(this.#plan) : null;
    if (action === undefined) return { plan, host: this.#host, action: new Map(), model: new Map() };
    const model = Object.hasOwn(this.#context.models, action.name) ? this.#context.models[action.name] : undefined;
    return { plan, host: this.#host, action: this.#view(action), model: toCelInput(model ?? {}) };
  }

  #view(subject: Action | Plan): CelInput {
    const known = this.#views.get(subject);
    if (known !== undefined) return known;
    const view = toCelInput(subject);
    this.#views.set(subject, view);
    return view;
  }
}

function ofWholePlan(finding: Finding, action: Action): Verdict {
  return { ...finding, message: `${finding.message}, at ${action.object}; further actions were not looked at` };
}

function outOfWork(policy: Policy): Verdict {
  return {
    rule: `policy/${policy.metadata.name}`,
    effect: "deny",
    message: "the policies together need more work than they may cause",
    remedy: "make the expressions cheaper or the plan smaller",
  };
}
