import type { Drift, DriftReport } from "../domain/drift.ts";
import type { Instant } from "../domain/resource.ts";
import { commentBudget, fitLines } from "./budget.ts";
import { driftBasis, driftClasses, driftOrder, driftPhrase, driftSentence, driftWords, proofSentence } from "./drift-wording.ts";
import { markdownCode, markdownText } from "./markdown.ts";
import { commentMarker } from "./plan-markdown.ts";
import { count } from "./quantities.ts";

/** How a drift report is shown as Markdown. */
export interface DriftMarkdownOptions {
  readonly target: string;
  readonly now?: Instant;
}

const maximumRows = 100;

/** A drift report for a file, an issue or a comment, below 60,000 UTF-16 units, worst drifts first. */
export function renderDriftMarkdown(report: DriftReport, options: DriftMarkdownOptions): string {
  const proof = proofSentence(report, options.now);
  const head = [
    `${commentMarker("drift", options.target)}\n### holdfast drift: ${markdownText(options.target, 100)} - ${driftWords(report)}`,
    ...(report.summary.unknown > 0
      ? [`**:grey_question: ${count(report.summary.unknown, "thing")} could not be observed: this report does not prove that nothing else differs.**`]
      : []),
  ];
  const basis = `Speaks of ${markdownText(driftBasis(report, options.now))}${proof === undefined ? "" : `; ${markdownText(proof)}`}.`;
  const foot = [basis, `Drift: ${driftSentence(report)}`];
  if (report.drifts.length === 0) return `${[...head, ...foot].join("\n\n")}\n`;
  const room = commentBudget - [...head, ...foot].join("\n\n").length - 4000;
  return `${[...head, tableOf(report.drifts, room), meanings(report), ...foot].join("\n\n")}\n`;
}

function tableOf(drifts: readonly Drift[], units: number): string {
  const rows = drifts.slice(0, maximumRows).map((drift) => {
    const place = drift.location === undefined ? "" : markdownCode(`${drift.location.file}:${drift.location.line}`);
    const what = markdownText(driftPhrase(drift), 300);
    const { severity } = driftClasses[drift.class];
    return `| ${severity} | ${drift.class} | ${markdownCode(drift.object)} | ${what} | ${place} | ${markdownText(drift.response, 100)} |`;
  });
  const fitted = fitLines(rows, units);
  const missing = drifts.length - fitted.lines.length;
  const head = ["| Severity | Class | Object | What | Where | Response |", "| --- | --- | --- | --- | --- | --- |"];
  return [...head, ...fitted.lines, ...(missing > 0 ? ["", `... and ${count(missing, "more drift")}.`] : [])].join("\n");
}

function meanings(report: DriftReport): string {
  const present = driftOrder.filter((name) => report.summary[name] > 0);
  return [
    "<details>",
    "<summary>What the classes mean</summary>",
    "",
    ...present.map((name) => `- **${name}**: ${driftClasses[name].meaning}`),
    "",
    "</details>",
  ].join("\n");
}
