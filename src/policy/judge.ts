import type { CelInput } from "@bufbuild/cel";
import type { Policy, Verdict } from "../domain/policy.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import type { EvaluationResult, Expression } from "./expression.ts";
import type { Meter } from "./meter.ts";

/** What the expressions of a policy read. */
export type Bindings = Readonly<Record<"action" | "model" | "plan" | "host", CelInput>>;

/** Work that one policy may cause for one action: some 20 ms. */
export const unitsPerEvaluation = 12_000;

/** A verdict without the action it is about. */
export type Finding = Omit<Verdict, "actionId">;

/** Applies one policy to one set of bindings; no finding means that it is satisfied or does not apply. */
export function judge(compiled: CompiledPolicy, bindings: Bindings, meter: Meter): readonly Finding[] {
  const { policy, faults } = compiled;
  if (faults.length > 0) return [brokenFinding(compiled)];
  meter.refill(unitsPerEvaluation);
  const run = runnerOf(compiled, bindings, meter);
  for (const { name, expression } of compiled.conditions) {
    const result = run(expression);
    if (!result.ok) return [errorFinding(policy, `match condition ${JSON.stringify(name)}`, result.problem)];
    if (result.value === false) return [];
    if (result.value !== true) return [errorFinding(policy, `match condition ${JSON.stringify(name)}`, "it is neither true nor false")];
  }
  return compiled.validations.flatMap(({ message, expression }) => {
    const result = run(expression);
    if (!result.ok) return [errorFinding(policy, message, result.problem)];
    return result.value === true ? [] : [finding(policy, message)];
  });
}

/** Evaluates with the policy's variables; a variable that failed matters only to the expressions that read it. */
function runnerOf(compiled: CompiledPolicy, bindings: Bindings, meter: Meter): (expression: Expression) => EvaluationResult {
  const values = new Map<string, CelInput>();
  const problems = new Map<string, string>();
  const run = (expression: Expression): EvaluationResult => {
    for (const name of expression.variables) {
      const problem = problems.get(name);
      if (problem !== undefined) return { ok: false, problem: `variable ${name}: ${problem}` };
    }
    const result = expression.evaluate({ ...bindings, variables: values });
    return meter.exhausted ? { ok: false, problem: "the expression needs more work than a policy may cause" } : result;
  };
  for (const { name, expression } of compiled.variables) {
    const result = run(expression);
    if (result.ok) values.set(name, result.value);
    else problems.set(name, result.problem);
  }
  return run;
}

/** A policy with a fault is refused whatever its failure policy says: a gate that cannot close is not a gate. */
function brokenFinding({ policy, faults }: CompiledPolicy): Finding {
  const reasons = faults.map((fault) => `${fault.pointer}: ${fault.problem}`).join("; ");
  const { file, line } = policy.metadata.location;
  return { ...finding(policy, `the policy itself is not valid: ${reasons}`), remedy: `correct ${file}:${line}; holdfast validate shows every fault` };
}

function errorFinding(policy: Policy, subject: string, problem: string): Finding {
  if (policy.failurePolicy === "Ignore")
    return { rule: ruleOf(policy), effect: "audit", message: `${subject}: could not be evaluated and is ignored (${problem})` };
  return finding(policy, `${subject} (could not be evaluated: ${problem})`);
}

function finding(policy: Policy, message: string): Finding {
  return { rule: ruleOf(policy), effect: policy.action === "Deny" ? "deny" : policy.action === "Warn" ? "warn" : "audit", message };
}

function ruleOf(policy: Policy): string {
  return `policy/${policy.metadata.name}`;
}
