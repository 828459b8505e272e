import type { CelEnv, CelInput, CelValue } from "@bufbuild/cel";
import type { Cel, Expr } from "./cel-module.ts";
import { roundFunction } from "./metered-environment.ts";

/** An expression that may be evaluated. `roots` are the declared names it reads, `variables` the policy variables. */
export interface Expression {
  readonly source: string;
  readonly roots: ReadonlySet<string>;
  readonly variables: ReadonlySet<string>;
  readonly evaluate: (bindings: Readonly<Record<string, CelInput>>) => EvaluationResult;
}

export type EvaluationResult = { readonly ok: true; readonly value: CelValue } | { readonly ok: false; readonly problem: string };

/** What an expression may name. */
export interface Scope {
  readonly roots: readonly string[];
  readonly variables: readonly string[];
}

export const maximumLength = 2_048;
export const maximumNesting = 32;
export const maximumComprehensions = 2;

const typeNames = new Set(["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"]);

/** Checks and compiles an expression, or says why it may not be evaluated. Size and nesting are looked at before the parser sees the text. */
export function compileExpression(
  cel: Cel,
  env: CelEnv,
  source: string,
  scope: Scope,
): { readonly expression: Expression } | { readonly problem: string } {
  if (source.length > maximumLength) return { problem: `the expression has ${source.length} characters, ${maximumLength} are allowed` };
  if (bracketNesting(source) > maximumNesting) return { problem: `brackets are nested deeper than ${maximumNesting}` };
  try {
    const root = cel.parse(source).expr;
    if (root === undefined) return { problem: "the expression is empty" };
    const survey = surveyOf(root, scope);
    if (survey.problem !== undefined) return { problem: survey.problem };
    const evaluate = cel.plan(env, root);
    return {
      expression: {
        source,
        roots: survey.roots,
        variables: survey.variables,
        evaluate: (bindings) => resultOf(cel, evaluate(Object.assign(Object.create(null), bindings))),
      },
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function resultOf(cel: Cel, value: CelValue | Error): EvaluationResult {
  if (cel.isCelError(value)) return { ok: false, problem: value.message };
  // Anything else that is an Error would be truthy too.
  return value instanceof Error ? { ok: false, problem: value.message } : { ok: true, value };
}

/** Deepest nesting of brackets outside string literals and comments. */
function bracketNesting(source: string): number {
  const bare = source.replaceAll(
    /[rR]?(?:"""[\s\S]*?"""|'''[\s\S]*?''')|[rR]"[^"\n]*"|[rR]'[^'\n]*'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/[^\n]*/g,
    "",
  );
  let depth = 0;
  let deepest = 0;
  for (const char of bare) {
    if ("([{".includes(char)) deepest = Math.max(deepest, ++depth);
    else if (")]}".includes(char)) depth--;
  }
  return deepest;
}

interface Survey {
  readonly roots: Set<string>;
  readonly variables: Set<string>;
  problem: string | undefined;
}

interface Surroundings {
  readonly scope: Scope;
  readonly bound: readonly string[];
  readonly comprehensions: number;
}

function surveyOf(root: Expr, scope: Scope): Survey {
  const survey: Survey = { roots: new Set(), variables: new Set(), problem: undefined };
  visit(root, survey, { scope, bound: [], comprehensions: 0 });
  return survey;
}

/** Notes every name, refuses undeclared ones, and makes every round of a comprehension pay. */
function visit(expr: Expr | undefined, survey: Survey, around: Surroundings): void {
  if (expr === undefined || survey.problem !== undefined) return;
  const { exprKind: kind } = expr;
  if (kind.case === "identExpr") noteName(kind.value.name, survey, around);
  else if (kind.case === "structExpr") visitStruct(kind.value, survey, around);
  else if (kind.case === "comprehensionExpr") visitComprehension(kind.value, survey, around);
  else if (kind.case === "selectExpr") {
    noteVariable(kind.value.operand, kind.value.field, survey, around);
    visit(kind.value.operand, survey, around);
  } else {
    for (const part of partsOf(kind)) visit(part, survey, around);
  }
}

function partsOf(kind: Expr["exprKind"]): readonly (Expr | undefined)[] {
  if (kind.case === "callExpr") return [kind.value.target, ...kind.value.args];
  return kind.case === "listExpr" ? kind.value.elements : [];
}

type KindOf<Case extends Expr["exprKind"]["case"]> = Extract<Expr["exprKind"], { case: Case }>["value"];

function visitStruct(struct: KindOf<"structExpr">, survey: Survey, around: Surroundings): void {
  if (struct.messageName !== "") survey.problem = `messages such as ${struct.messageName} cannot be made here`;
  for (const entry of struct.entries) {
    if (entry.keyKind.case === "mapKey") visit(entry.keyKind.value, survey, around);
    visit(entry.value, survey, around);
  }
}

function visitComprehension(fold: KindOf<"comprehensionExpr">, survey: Survey, around: Surroundings): void {
  visit(fold.iterRange, survey, around);
  const comprehensions = around.comprehensions + 1;
  if (comprehensions > maximumComprehensions) survey.problem = `more than ${maximumComprehensions} macros such as all() or map() are nested`;
  const inside: Surroundings = { ...around, comprehensions, bound: [...around.bound, fold.iterVar, fold.iterVar2, fold.accuVar] };
  for (const part of [fold.accuInit, fold.loopCondition, fold.loopStep, fold.result]) visit(part, survey, inside);
  if (fold.loopCondition === undefined) return;
  fold.loopCondition = {
    ...fold.loopCondition,
    exprKind: { case: "callExpr", value: { $typeName: "cel.expr.Expr.Call", function: roundFunction, args: [fold.loopCondition] } },
  };
}

function noteName(name: string, survey: Survey, around: Surroundings): void {
  if (around.bound.includes(name) || typeNames.has(name)) return;
  if (name === "variables" && around.scope.variables.length > 0) return;
  if (around.scope.roots.includes(name)) survey.roots.add(name);
  else {
    const declared = [...around.scope.roots, ...(around.scope.variables.length > 0 ? ["variables"] : [])];
    survey.problem = `the name ${JSON.stringify(name)} is not declared; there are ${declared.join(", ")}`;
  }
}

function noteVariable(operand: Expr | undefined, field: string, survey: Survey, around: Surroundings): void {
  if (operand?.exprKind.case !== "identExpr" || operand.exprKind.value.name !== "variables" || around.bound.includes("variables")) return;
  if (around.scope.variables.includes(field)) survey.variables.add(field);
  else survey.problem = `the variable ${JSON.stringify(field)} is not declared before it is used`;
}
