import type { Action, Blocked, Plan, Verb } from "../domain/action.ts";
import type { Verdict } from "../domain/policy.ts";
import { plainText } from "./escape.ts";
import { noPaint, type Paint } from "./paint.ts";
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
  verbSigns,
  verdictPhrase,
} from "./plan-wording.ts";
import { count, formatRevision, shortDigest } from "./quantities.ts";
import { displayWidth, padEnd, wrapText } from "./text-layout.ts";

/** How a plan is shown. */
export interface PlanTextOptions {
  /** Name of the machine the plan is for. */
  readonly host?: string;
  readonly colour?: Paint;
  /** Adds digests, preconditions and places, and lists what is otherwise only counted. */
  readonly details?: boolean;
  /** Leaves out hints that only help somebody at a keyboard. */
  readonly ci?: boolean;
  readonly nextCommand?: string;
  readonly verdicts?: readonly Verdict[];
  readonly width?: number;
}

interface Look {
  readonly paint: Paint;
  readonly width: number;
  readonly details: boolean;
  /** Columns of the longest object name that is padded to. */
  readonly nameWidth: number;
}

/** Actions that only write our own records are listed up to this number, and counted beyond it unless details are asked for. */
const recordsShown = 20;

/** A plan for people: summary first and last, everything destructive in full, unknown things with reason and remedy. */
export function renderPlanText(plan: Plan, options: PlanTextOptions = {}): string {
  const look = lookOf(plan, options);
  const hidden = notShown(plan);
  const sections = [
    headingOf(plan, options, look),
    ...(plan.actions.length === 0 ? [emptyText(plan)] : []),
    ...actionSections(plan, look),
    ...blockedSection(plan.blocked, look),
    ...verdictSection(plan, options.verdicts ?? [], look),
    ...(hidden === undefined ? [] : [hidden]),
    ...(options.nextCommand === undefined || options.ci === true || plan.actions.length === 0 ? [] : [`Next: ${plainText(options.nextCommand)}`]),
    look.paint("heading", `Plan: ${summarySentence(plan)}`),
  ];
  return `${sections.join("\n\n")}\n`;
}

/** Only what is not acted on, for example what of a saved plan may not run any more; nothing when there is none. */
export function renderBlockedText(plan: Plan, options: PlanTextOptions = {}): string {
  return blockedSection(plan.blocked, lookOf(plan, options))
    .map((section) => `${section}\n\n`)
    .join("");
}

function lookOf(plan: Plan, options: PlanTextOptions): Look {
  const widths = [...plan.actions, ...plan.blocked].map((item) => displayWidth(plainText(item.object)));
  return {
    paint: options.colour ?? noPaint,
    width: options.width ?? 80,
    details: options.details ?? false,
    nameWidth: Math.min(30, Math.max(0, ...widths)),
  };
}

function headingOf(plan: Plan, options: PlanTextOptions, look: Look): string {
  const host = options.host === undefined ? "" : ` -> host ${plainText(options.host)}`;
  const first = wrapText(`Plan for ${formatRevision(plan.revision)}${host}: ${summarySentence(plan)}`, look.width);
  const bytes = bytesSentence(plan);
  const lines = [...first.map((line) => look.paint("heading", line)), ...(bytes === undefined ? [] : [`${capital(bytes)}.`])];
  if (!look.details) return lines.join("\n");
  const lock = plan.lockDigest === undefined ? "no lock file" : `lock ${shortDigest(plan.lockDigest)}`;
  return [...lines, look.paint("quiet", `Files ${shortDigest(plan.revision.digest)}, ${lock}, plan ${shortDigest(plan.digest)}.`)].join("\n");
}

function emptyText(plan: Plan): string {
  if (plan.blocked.length > 0 || plan.summary.unknown > 0)
    return "Nothing will be changed, because what is listed below could not be observed or is blocked.";
  const { unmanaged } = plan.summary;
  const others = unmanaged === 0 ? "" : `, but ${count(unmanaged, "model")} nobody declared ${unmanaged === 1 ? "is" : "are"} also there`;
  return `No changes. The machine matches the manifests${others}.`;
}

function actionSections(plan: Plan, look: Look): readonly string[] {
  const { destructive, other } = splitByRisk(plan);
  const shown = look.details ? other : withinLimit(other);
  const lines = [...shown.flatMap((action) => actionLines(action, look)), ...(shown.length < other.length ? [leftOut(other, shown)] : [])];
  return [
    ...(destructive.length === 0
      ? []
      : [[look.paint("destroy", `DESTRUCTIVE (${destructive.length})`), ...destructive.flatMap((action) => actionLines(action, look))].join("\n")]),
    ...(lines.length === 0 ? [] : [lines.join("\n")]),
    ...(plan.actions.length === 0 ? [] : [legendOf([...destructive, ...shown], look)]),
  ];
}

function withinLimit(actions: readonly Action[]): readonly Action[] {
  const seen = new Map<Verb, number>();
  return actions.filter((action) => {
    const number = (seen.get(action.verb) ?? 0) + 1;
    seen.set(action.verb, number);
    return action.risk !== "none" || number <= recordsShown;
  });
}

function leftOut(all: readonly Action[], shown: readonly Action[]): string {
  const kept = new Set(shown);
  const verbs = all.filter((action) => !kept.has(action)).map((action) => action.verb);
  const counts = [...new Set(verbs)].map((verb) => `${verbs.filter((each) => each === verb).length} more to ${verb}`);
  return `  ... and ${counts.join(", ")} (--details lists them)`;
}

function legendOf(actions: readonly Action[], look: Look): string {
  const entries = new Map(actions.map((action) => [verbSigns[action.verb].sign, verbSigns[action.verb].legend]));
  const sentence = `Signs: ${[...entries].map(([sign, legend]) => `${sign} ${legend}`).join("; ")}.`;
  return wrapText(sentence, look.width)
    .map((line) => look.paint("quiet", line))
    .join("\n");
}

function actionLines(action: Action, look: Look): readonly string[] {
  const { sign, tone } = verbSigns[action.verb];
  const what = [actionPhrase(action), actionSubject(action)].filter((part) => part !== "").join(" ");
  const head = `  ${sign} ${padEnd(plainText(action.object), look.nameWidth)}  ${plainText(what)}`;
  const reason = `[${plainText(action.reason)}]`;
  const fits = displayWidth(head) + 2 + displayWidth(reason) <= look.width;
  const below = [...(fits ? [] : [reason]), ...actionNotes(action).map(plainText), ...(look.details ? detailsOf(action) : [])];
  const dressed = look.paint(deletesBytes(action) ? "destroy" : tone, head);
  return [fits ? `${dressed}  ${look.paint("quiet", reason)}` : dressed, ...below.flatMap((text) => indented(text, look))];
}

function detailsOf(action: Action): readonly string[] {
  const place = action.location === undefined ? [] : [`declared in ${action.location.file}:${action.location.line}`];
  const after = action.dependsOn.length === 0 ? [] : [`after ${action.dependsOn.join(", ")}`];
  const needs = action.preconditions.map((need) =>
    need.kind === "unchanged"
      ? `only if ${need.ref} is unchanged (${shortDigest(need.fingerprint)})`
      : `only if ${need.ref} is ${need.kind === "absent" ? "absent" : "not loaded"}`,
  );
  return [`${action.id}, cause ${action.cause}, risk ${action.risk}, store ${action.store}, ref ${action.ref}`, ...place, ...after, ...needs].map(
    plainText,
  );
}

function blockedSection(blocked: readonly Blocked[], look: Look): readonly string[] {
  if (blocked.length === 0) return [];
  const groups = Map.groupBy(blocked, (item) => JSON.stringify([item.cause === "unknown", blockedPhrase(item), blockedRemedy(item)]));
  const lines = [...groups.values()].flatMap((items) => [
    ...items.map((item) => blockedHead(item, look)),
    ...items.slice(0, 1).flatMap((item) => blockedReason(item, look)),
  ]);
  return [[look.paint("warning", `NOT ACTED ON (${blocked.length})`), ...lines].join("\n")];
}

function blockedHead(item: Blocked, look: Look): string {
  const place = item.location === undefined ? "" : ` (${item.location.file}:${item.location.line})`;
  return look.paint("warning", `  ${item.cause === "unknown" ? "?" : "!"} ${plainText(item.object)}${plainText(place)}`);
}

function blockedReason(item: Blocked, look: Look): readonly string[] {
  const remedy = blockedRemedy(item);
  const reason = `${item.cause === "unknown" ? "unknown" : "blocked"}: ${blockedPhrase(item)}`;
  return [...indented(plainText(reason), look), ...(remedy === undefined ? [] : indented(plainText(`next: ${remedy}`), look))];
}

function verdictSection(plan: Plan, verdicts: readonly Verdict[], look: Look): readonly string[] {
  if (verdicts.length === 0) return [];
  const lines = verdicts.flatMap((verdict) => {
    const [first = "", ...rest] = wrapText(plainText(`${verdict.effect.toUpperCase()} ${verdictPhrase(verdict, plan)}`), look.width - 4);
    const remedy = verdict.remedy === undefined ? [] : indented(plainText(`next: ${verdict.remedy}`), look);
    return [look.paint(verdict.effect === "deny" ? "error" : "warning", `  ${first}`), ...rest.map((line) => `      ${line}`), ...remedy];
  });
  return [["Policy", ...lines].join("\n")];
}

function indented(text: string, look: Look): readonly string[] {
  return wrapText(text, Math.max(20, look.width - 6)).map((line) => look.paint("quiet", `      ${line}`));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
