import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Failure } from "../domain/failure.ts";
import { plainText } from "./escape.ts";
import { noPaint, type Paint } from "./paint.ts";
import { count } from "./quantities.ts";
import { wrapText } from "./text-layout.ts";

/** Everything a person needs to act on a problem: what, where, why, what it did or did not do, and the next step. */
export interface Problem {
  readonly severity: "error" | "warning" | "note";
  readonly code: string;
  readonly what: string;
  readonly where?: string;
  readonly why?: string;
  readonly effect?: string;
  readonly next?: string;
}

export interface ProblemTextOptions {
  readonly colour?: Paint;
  readonly width?: number;
}

/** One problem in the five-part shape; parts nobody filled are left out. */
export function renderProblem(problem: Problem, options: ProblemTextOptions = {}): string {
  const paint = options.colour ?? noPaint;
  const label = paint(
    problem.severity === "error" ? "error" : problem.severity === "warning" ? "warning" : "quiet",
    `${problem.severity}[${plainText(problem.code)}]`,
  );
  const parts = (["where", "why", "effect", "next"] as const).flatMap((part) => {
    const text = problem[part];
    if (text === undefined || text === "") return [];
    const lines = wrapText(plainText(text), Math.max(30, (options.width ?? 100) - 10));
    return lines.map((line, index) => `  ${index === 0 ? paint("quiet", part.padEnd(7)) : " ".repeat(7)} ${line}`);
  });
  return `${[`${label}: ${plainText(problem.what)}`, ...parts].join("\n")}\n`;
}

/** Findings about manifests in the order given, and a last line that counts them. */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], options: ProblemTextOptions & { readonly effect?: string } = {}): string {
  if (diagnostics.length === 0) return "";
  const texts = diagnostics.map((diagnostic) => renderProblem(problemOf(diagnostic, options.effect), options));
  return [...texts, countOf(diagnostics)].join("\n");
}

/** A failure of an operation; `effect` says what was left undone and what went on. */
export function renderFailure(
  failure: Failure,
  context: { readonly what?: string; readonly where?: string; readonly effect?: string } = {},
  options: ProblemTextOptions = {},
): string {
  const next = failure.remedy ?? (failure.retry === "transient" ? "try again: the same attempt may succeed later" : undefined);
  const problem: Problem = {
    severity: "error",
    code: failure.code,
    what: context.what ?? failure.message,
    ...(context.where === undefined ? {} : { where: context.where }),
    ...(context.what === undefined ? {} : { why: failure.message }),
    ...(context.effect === undefined ? {} : { effect: context.effect }),
    ...(next === undefined ? {} : { next }),
  };
  return renderProblem(problem, options);
}

function problemOf(diagnostic: Diagnostic, effect: string | undefined): Problem {
  const { severity, code, message, location, pointer, remedy } = diagnostic;
  const place = location === undefined ? "" : `${location.file}:${location.line}:${location.column}`;
  const where = [place, ...(pointer === undefined || pointer === "" ? [] : [place === "" ? pointer : `(${pointer})`])]
    .filter((part) => part !== "")
    .join(" ");
  return {
    severity,
    code,
    what: message,
    where,
    ...(effect === undefined || severity !== "error" ? {} : { effect }),
    ...(remedy === undefined ? {} : { next: remedy }),
  };
}

function countOf(diagnostics: readonly Diagnostic[]): string {
  const of = (severity: Diagnostic["severity"]): number => diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const parts = (["error", "warning", "note"] as const).filter((severity) => of(severity) > 0).map((severity) => count(of(severity), severity));
  const files = new Set(diagnostics.flatMap((diagnostic) => (diagnostic.location === undefined ? [] : [diagnostic.location.file])));
  return `${parts.join(", ")}${files.size === 0 ? "" : ` in ${count(files.size, "file")}`}.\n`;
}
