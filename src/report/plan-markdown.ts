import type { Action, Plan } from "../domain/action.ts";
import type { Verdict } from "../domain/policy.ts";
import { commentBudget, fitLines } from "./budget.ts";
import { markdownBlock, markdownCode, markdownText } from "./markdown.ts";
import {
  actionNotes,
  actionPhrase,
  actionSubject,
  blockedPhrase,
  blockedRemedy,
  bytesSentence,
  deletesBytes,
  notShown,
  splitByRisk,
  summarySentence,
  summaryWords,
  verbSigns,
  verdictPhrase,
} from "./plan-wording.ts";
import { count, formatBytes, revisionPhrase } from "./quantities.ts";

/** How a plan is shown in a pull request. */
export interface PlanMarkdownOptions {
  /** Tells comments for different machines apart; the hidden first line carries it so that one comment is updated in place. */
  readonly target: string;
  readonly verdicts?: readonly Verdict[];
  /** Command that makes the same plan. */
  readonly reproduce?: string;
  /** Shown in the footer, for example `11:55 UTC (run 3)`; left out by default so that equal plans give equal bytes. */
  readonly updated?: string;
}

const maximumRows = 100;

/** The hidden line by which a comment is found again. */
export function commentMarker(kind: "plan" | "drift", target: string): string {
  // `--` would end the HTML comment; only harmless characters stay.
  return `<!-- holdfast:${kind} v1 target=${target
    .replaceAll(/[^A-Za-z0-9_.-]/g, "_")
    .replaceAll(/--+/g, "-")
    .slice(0, 100)} -->`;
}

/** A plan as one pull request comment below 60,000 UTF-16 units; the empty plan is one line below the marker. */
export function renderPlanMarkdown(plan: Plan, options: PlanMarkdownOptions): string {
  const marker = commentMarker("plan", options.target);
  const title = `### holdfast plan: ${markdownText(options.target, 100)} - ${summaryWords(plan)}`;
  const verdicts = options.verdicts ?? [];
  if (plan.actions.length === 0 && plan.blocked.length === 0 && verdicts.length === 0) return `${marker}\n${title} (${provenance(plan, options)})\n`;
  const fixed = [`${marker}\n${title}`, ...warningOf(plan), ...bytesOf(plan)];
  const closing = [...(notShown(plan) === undefined ? [] : [notShown(plan) ?? ""]), footerOf(plan, options)];
  const room = commentBudget - [...fixed, ...closing].join("\n\n").length - 1000;
  return `${[...fixed, ...bodyOf(plan, verdicts, room), ...closing].join("\n\n")}\n`;
}

function warningOf(plan: Plan): readonly string[] {
  const destructive = plan.actions.filter(deletesBytes).length;
  const unknown = plan.summary.unknown;
  return [
    ...(destructive > 0
      ? [`**:warning: This plan deletes: ${count(destructive, "destructive action")}, ${formatBytes(plan.summary.bytesToFree)} would be freed.**`]
      : []),
    ...(unknown > 0
      ? [`**:grey_question: ${count(unknown, "thing")} could not be observed; nothing is done to ${unknown === 1 ? "it" : "them"}.**`]
      : []),
  ];
}

function bytesOf(plan: Plan): readonly string[] {
  const bytes = bytesSentence(plan);
  return bytes === undefined ? [] : [`Moves bytes: ${bytes}.`];
}

/** Table, verdicts and blocked things get what they need in this order; the folded details take what is left. */
function bodyOf(plan: Plan, verdicts: readonly Verdict[], room: number): readonly string[] {
  const { destructive, other } = splitByRisk(plan);
  const ordered = [...destructive, ...other];
  const parts: string[] = [];
  let left = room;
  const add = (text: string | undefined): void => {
    if (text === undefined) return;
    parts.push(text);
    left -= text.length + 2;
  };
  add(tableOf(ordered, Math.floor(left * 0.6)));
  add(
    listOf(
      "Policy",
      verdicts.map((verdict) => `- **${verdict.effect.toUpperCase()}** ${markdownText(verdictPhrase(verdict, plan))}`),
      Math.floor(left * 0.4),
    ),
  );
  add(
    listOf(
      "Not acted on",
      plan.blocked.map((item) => blockedLine(item)),
      Math.floor(left * 0.6),
    ),
  );
  add(detailsOf(ordered, left));
  return parts;
}

function tableOf(actions: readonly Action[], units: number): string | undefined {
  if (actions.length === 0) return undefined;
  const head = ["| | Object | Action | Why | Size |", "| --- | --- | --- | --- | ---: |"];
  const rows = actions.slice(0, maximumRows).map((action) => {
    const size =
      action.bytesToDownload > 0
        ? formatBytes(action.bytesToDownload)
        : action.bytesToFree > 0
          ? `frees ${formatBytes(action.bytesToFree)}`
          : action.sizeUnknown
            ? "unknown"
            : "";
    const why = [action.reason, ...actionNotes(action)].map((text) => markdownText(text, 200)).join("; ");
    const verb = deletesBytes(action) ? `**${action.verb}**` : action.verb;
    return `| ${markdownCode(verbSigns[action.verb].sign)} | ${markdownCode(action.object)} | ${verb} | ${why} | ${size} |`;
  });
  const fitted = fitLines(rows, units);
  const missing = actions.length - fitted.lines.length;
  return [
    ...head,
    ...fitted.lines,
    ...(missing > 0 ? ["", `... and ${count(missing, "more action")}, ${leftByVerb(actions.slice(fitted.lines.length))}.`] : []),
  ].join("\n");
}

function leftByVerb(actions: readonly Action[]): string {
  const verbs = actions.map((action) => action.verb);
  return [...new Set(verbs)].map((verb) => `${verbs.filter((each) => each === verb).length} to ${verb}`).join(", ");
}

function listOf(title: string, lines: readonly string[], units: number): string | undefined {
  if (lines.length === 0) return undefined;
  const fitted = fitLines(lines, units);
  return [`**${title}**`, "", ...fitted.lines, ...(fitted.left > 0 ? [`- ... and ${fitted.left} more`] : [])].join("\n");
}

function blockedLine(item: Plan["blocked"][number]): string {
  const remedy = blockedRemedy(item);
  const state = item.cause === "unknown" ? "unknown" : "blocked";
  const next = remedy === undefined ? "" : `. Next: ${markdownText(remedy, 200)}`;
  return `- ${markdownCode(item.object)} ${state}: ${markdownText(blockedPhrase(item))}${next}`;
}

function detailsOf(actions: readonly Action[], units: number): string | undefined {
  if (actions.length === 0) return undefined;
  const sign = (action: Action): string => (action.bytesToDownload > 0 ? "+" : deletesBytes(action) ? "-" : " ");
  const lines = actions.map((action) => {
    const text = [action.id, actionPhrase(action), action.object, actionSubject(action), `[${action.reason}]`]
      .filter((part) => part !== "")
      .join(" ");
    return `${sign(action)} ${text}`;
  });
  const fitted = fitLines(lines, units - 600);
  if (fitted.lines.length === 0) return undefined;
  const shown = fitted.left > 0 ? [...fitted.lines, `  ... and ${fitted.left} more`] : fitted.lines;
  return ["<details>", `<summary>All actions (${actions.length})</summary>`, "", markdownBlock(shown, "diff"), "", "</details>"].join("\n");
}

function footerOf(plan: Plan, options: PlanMarkdownOptions): string {
  const reproduce = options.reproduce === undefined ? "" : `\nReproduce: ${markdownCode(options.reproduce, 300)}`;
  return `Made from ${provenance(plan, options)}.${reproduce}\n\nPlan: ${summarySentence(plan)}`;
}

function provenance(plan: Plan, options: PlanMarkdownOptions): string {
  const parts = [
    markdownText(revisionPhrase(plan.revision)),
    `plan ${markdownCode(`sha256:${plan.digest}`)}`,
    `holdfast ${markdownText(plan.toolVersion)}`,
    ...(options.updated === undefined ? [] : [`updated ${markdownText(options.updated)}`]),
  ];
  return parts.join(", ");
}
