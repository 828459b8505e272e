import type { Action, Outcome, Plan } from "../domain/action.ts";
import { renderProblem } from "./diagnostics-text.ts";
import { plainText } from "./escape.ts";
import { noPaint, type Paint } from "./paint.ts";
import { displayWidth, padEnd, wrapText } from "./text-layout.ts";

export interface ApplyTextOptions {
  readonly colour?: Paint;
  readonly width?: number;
}

/** What became of each action of a plan, failures with their reason and next step, and a stable last line. */
export function renderApplyText(plan: Plan, outcomes: readonly Outcome[], options: ApplyTextOptions = {}): string {
  const paint = options.colour ?? noPaint;
  const known = new Map(outcomes.map((outcome) => [outcome.actionId, outcome]));
  const nameWidth = Math.min(30, Math.max(0, ...plan.actions.map((action) => displayWidth(plainText(action.object)))));
  const lines = plan.actions.flatMap((action) => lineOf(action, known.get(action.id), { paint, nameWidth, width: options.width ?? 80 }));
  const problems = plan.actions.flatMap((action) => problemOf(action, known.get(action.id), options));
  const sections = [...(lines.length === 0 ? [] : [`${lines.join("\n")}\n`]), ...problems, paint("heading", applySentence(plan, outcomes)) + "\n"];
  return sections.join("\n");
}

/** The frozen sentence that starts `Applied:`. */
export function applySentence(plan: Plan, outcomes: readonly Outcome[]): string {
  const of = (state: Outcome["state"]): number => outcomes.filter((outcome) => outcome.state === state).length;
  const unreached = plan.actions.length - outcomes.length;
  const parts = [
    `${of("applied")} applied`,
    `${of("failed")} failed`,
    `${of("skipped")} skipped`,
    ...(unreached > 0 ? [`${unreached} not reached`] : []),
  ];
  return `Applied: ${parts.join(", ")}.`;
}

interface Look {
  readonly paint: Paint;
  readonly nameWidth: number;
  readonly width: number;
}

function lineOf(action: Action, outcome: Outcome | undefined, look: Look): readonly string[] {
  const state = outcome?.state ?? "not reached";
  const detail =
    outcome === undefined ? "" : outcome.state === "applied" ? outcome.detail : outcome.state === "skipped" ? outcome.because : outcome.failure.code;
  const head = `${padEnd(state, 11)} ${padEnd(plainText(action.object), look.nameWidth)}  ${action.verb}`;
  const tone = state === "applied" ? "good" : state === "failed" ? "error" : "warning";
  const text = plainText(detail);
  if (text === "") return [look.paint(tone, head)];
  if (displayWidth(head) + 2 + displayWidth(text) <= look.width) return [`${look.paint(tone, head)}  ${text}`];
  return [look.paint(tone, head), ...wrapText(text, look.width - 12).map((line) => `${" ".repeat(12)}${line}`)];
}

function problemOf(action: Action, outcome: Outcome | undefined, options: ApplyTextOptions): readonly string[] {
  if (outcome?.state !== "failed") return [];
  const { failure } = outcome;
  const next = failure.remedy ?? (failure.retry === "transient" ? "run it again: the same attempt may succeed later" : undefined);
  const where = action.location === undefined ? action.ref : `${action.location.file}:${action.location.line}, ${action.ref}`;
  return [
    renderProblem(
      {
        severity: "error",
        code: failure.code,
        what: `${action.object}: ${action.verb} failed`,
        where,
        why: failure.message,
        effect: "actions that depend on it were skipped; the others went on",
        ...(next === undefined ? {} : { next }),
      },
      options,
    ),
  ];
}
