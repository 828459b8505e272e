import type { CelEnv } from "@bufbuild/cel";
import type { Policy } from "../domain/policy.ts";
import type { Cel } from "./cel-module.ts";
import { compileExpression, type Expression, type Scope } from "./expression.ts";

/** The names that an expression may read beside `variables`. */
export const declaredNames = ["action", "model", "plan", "host"] as const;

/** Most expressions of each list of a policy. */
const maximumExpressions = 64;

/** Something wrong with a policy itself, and where in its manifest. */
export interface PolicyFault {
  readonly pointer: string;
  readonly problem: string;
}

/** A policy whose expressions were checked; with faults it can only be refused. */
export interface CompiledPolicy {
  readonly policy: Policy;
  readonly conditions: readonly { readonly name: string; readonly expression: Expression }[];
  readonly variables: readonly { readonly name: string; readonly expression: Expression }[];
  readonly validations: readonly { readonly message: string; readonly expression: Expression }[];
  /** The declared names that any of its expressions reads. */
  readonly reads: ReadonlySet<string>;
  /** True when nothing in it reads `action` or `model`: it is then evaluated once for the whole plan. */
  readonly aboutPlan: boolean;
  readonly faults: readonly PolicyFault[];
}

/** Checks and compiles every expression of a policy; collects all faults. */
export function compilePolicy(cel: Cel, env: CelEnv, policy: Policy): CompiledPolicy {
  const faults: PolicyFault[] = [];
  const compile = (source: string, pointer: string, scope: Scope): readonly Expression[] => {
    const result = compileExpression(cel, env, source, scope);
    if ("expression" in result) return [result.expression];
    faults.push({ pointer, problem: result.problem });
    return [];
  };
  for (const part of ["matchConditions", "variables", "validations"] as const) {
    if (policy[part].length > maximumExpressions)
      faults.push({ pointer: `/spec/${part}`, problem: `${policy[part].length} expressions, ${maximumExpressions} are allowed` });
  }
  const names = policy.variables.map((variable) => variable.name);
  const scope: Scope = { roots: declaredNames, variables: names };
  const variables = policy.variables.slice(0, maximumExpressions).flatMap(({ name, expression }, index) =>
    compile(expression, `/spec/variables/${index}/expression`, { roots: declaredNames, variables: names.slice(0, index) }).map((compiled) => ({
      name,
      expression: compiled,
    })),
  );
  const conditions = policy.matchConditions
    .slice(0, maximumExpressions)
    .flatMap(({ name, expression }, index) =>
      compile(expression, `/spec/matchConditions/${index}/expression`, scope).map((compiled) => ({ name, expression: compiled })),
    );
  const validations = policy.validations
    .slice(0, maximumExpressions)
    .flatMap(({ message, expression }, index) =>
      compile(expression, `/spec/validations/${index}/expression`, scope).map((compiled) => ({ message, expression: compiled })),
    );
  const reads = new Set([...variables, ...conditions, ...validations].flatMap(({ expression }) => [...expression.roots]));
  return { policy, conditions, variables, validations, reads, aboutPlan: !reads.has("action") && !reads.has("model"), faults };
}
