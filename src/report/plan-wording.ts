import type { Action, Blocked, Plan, PlanSummary, Verb } from "../domain/action.ts";
import { isDestructive } from "../domain/plan/guards.ts";
import type { Verdict } from "../domain/policy.ts";
import { quotedCommand } from "./command-line.ts";
import { formatBytes, formatSpan, shortDigest } from "./quantities.ts";
import type { Tone } from "./paint.ts";

/** How a verb is drawn: its sign, the sentence of the legend and the tone. Order is the order of the summary line. */
export const verbSigns: Readonly<Record<Verb, { readonly sign: string; readonly legend: string; readonly tone: Tone }>> = {
  pull: { sign: "+", legend: "add", tone: "add" },
  repair: { sign: "~", legend: "change", tone: "change" },
  tag: { sign: "~", legend: "change", tone: "change" },
  hash: { sign: "#", legend: "read and prove bytes", tone: "quiet" },
  import: { sign: "+", legend: "add", tone: "add" },
  load: { sign: "^", legend: "get into memory", tone: "change" },
  unload: { sign: "v", legend: "get out of memory", tone: "change" },
  activate: { sign: ">", legend: "start or switch serving", tone: "change" },
  deactivate: { sign: "<", legend: "stop serving", tone: "change" },
  deprecate: { sign: "~", legend: "change", tone: "change" },
  undeprecate: { sign: "~", legend: "change", tone: "change" },
  forget: { sign: ".", legend: "stop managing, bytes stay", tone: "quiet" },
  purge: { sign: "-", legend: "delete", tone: "destroy" },
};

const verbOrder: readonly Verb[] = [
  "pull",
  "repair",
  "tag",
  "hash",
  "import",
  "load",
  "unload",
  "activate",
  "deactivate",
  "deprecate",
  "undeprecate",
  "forget",
  "purge",
];

/** The frozen sentence that starts `Plan:`; programs read it although they should read the JSON. */
export function summarySentence(plan: Plan): string {
  const counts = verbOrder.flatMap((verb) => counted(plan.summary, verb));
  const rest = [
    ...(openBlocked(plan) > 0 ? [`${openBlocked(plan)} blocked.`] : []),
    ...(plan.summary.unknown > 0 ? [`${plan.summary.unknown} unknown.`] : []),
  ];
  return [counts.length === 0 ? "no changes." : `${counts.join(", ")}.`, ...rest].join(" ");
}

/** The same counts for headings: `2 pull, 1 purge, 1 unknown`. */
export function summaryWords(plan: Plan): string {
  const words = [
    ...verbOrder.flatMap((verb) => counted(plan.summary, verb).map((text) => text.replace("to ", ""))),
    ...(openBlocked(plan) > 0 ? [`${openBlocked(plan)} blocked`] : []),
    ...(plan.summary.unknown > 0 ? [`${plan.summary.unknown} unknown`] : []),
  ];
  return words.length === 0 ? "no changes" : words.join(", ");
}

function counted(summary: PlanSummary, verb: Verb): readonly string[] {
  const number = summary.actions[verb] ?? 0;
  return number > 0 ? [`${number} to ${verb}`] : [];
}

/** Blocked things that are not already counted as unknown. */
function openBlocked(plan: Plan): number {
  return plan.blocked.filter((item) => item.cause !== "unknown").length;
}

/** True when the reader must look twice. A saved plan may say anything of its own risk, so a purge counts in any case. */
export function deletesBytes(action: Action): boolean {
  return isDestructive(action) || action.verb === "purge";
}

/** Destructive actions first, each group in plan order. */
export function splitByRisk(plan: Plan): { readonly destructive: readonly Action[]; readonly other: readonly Action[] } {
  return { destructive: plan.actions.filter(deletesBytes), other: plan.actions.filter((action) => !deletesBytes(action)) };
}

/** Verb with what it moves: `pull 5.2 GB`, `pull (size unknown)`, `purge 41.0 GB`. */
export function actionPhrase(action: Action): string {
  const { verb, bytesToDownload, bytesToFree, sizeUnknown } = action;
  if (sizeUnknown) return bytesToDownload > 0 ? `${verb} at least ${formatBytes(bytesToDownload)}` : `${verb} (size unknown)`;
  if (bytesToDownload > 0) return `${verb} ${formatBytes(bytesToDownload)}`;
  return bytesToFree > 0 || verb === "purge" ? `${verb} ${formatBytes(bytesToFree)}` : verb;
}

/** Where an action takes its bytes from or what it acts on, in the words of the store. */
export function actionSubject(action: Action): string {
  const { work } = action;
  switch (work.verb) {
    case "pull":
    case "repair":
      return work.request.kind === "ollama"
        ? `from ${work.request.model}`
        : `from huggingface ${work.request.repo}@${work.request.commit.slice(0, 7)}`;
    case "tag":
      return `${work.request.from} as ${work.request.to}`;
    case "load":
      return work.request.keep === "forever" ? "keep in memory (for ever)" : `keep in memory (${formatSpan(work.request.keep)})`;
    case "unload":
      return action.cause === "stale-runner" ? "older content out of memory" : "out of memory";
    case "activate":
      return `${work.model} on ${work.backend}`;
    case "deactivate":
      return "";
    default:
      return "";
  }
}

/** Things a reader must know before agreeing to the action. */
export function actionNotes(action: Action): readonly string[] {
  const { work } = action;
  if ((work.verb === "pull" || work.verb === "repair") && work.request.kind === "ollama" && work.request.pin !== undefined) {
    return [`the tag has moved upstream: the locked manifest ${shortDigest(work.request.pin.digest)} is served to Ollama from loopback`];
  }
  if (work.verb === "activate" && work.argv !== undefined) return [`runs: ${quotedCommand(work.argv)}`];
  if (work.verb === "purge" && work.request.quarantine) return ["not re-fetchable: the bytes are kept in quarantine"];
  return [];
}

/** One clause per blocked thing. */
export function blockedPhrase(blocked: Blocked): string {
  return blocked.failure === undefined || blocked.reason.includes(blocked.failure.message)
    ? blocked.reason
    : `${blocked.reason}: ${blocked.failure.message}`;
}

/** The next step for a blocked thing, when there is one. */
export function blockedRemedy(blocked: Blocked): string | undefined {
  return blocked.remedy ?? blocked.failure?.remedy;
}

/** `DENY policy/licence: message`. */
export function verdictPhrase(verdict: Verdict, plan: Plan): string {
  const action = plan.actions.find((candidate) => candidate.id === verdict.actionId);
  const about = verdict.actionId === undefined ? "the plan" : (action?.object ?? verdict.actionId);
  return `${verdict.rule}, about ${about}: ${verdict.message}`;
}

/** What a summary counts but a plan does not list. */
export function notShown(plan: Plan): string | undefined {
  const parts = [
    ...(plan.summary.unchanged > 0 ? [`${plan.summary.unchanged} unchanged`] : []),
    ...(plan.summary.unmanaged > 0 ? [`${plan.summary.unmanaged} unmanaged`] : []),
  ];
  return parts.length === 0 ? undefined : `Not shown: ${parts.join(", ")}.`;
}

/** Downloads and space, when the plan moves bytes. */
export function bytesSentence(plan: Plan): string | undefined {
  const { bytesToDownload, bytesToFree } = plan.summary;
  const unsure = plan.actions.some((action) => action.sizeUnknown) ? "at least " : "";
  const parts = [
    ...(bytesToDownload > 0 ? [`download ${unsure}${formatBytes(bytesToDownload)}`] : unsure === "" ? [] : ["download size unknown"]),
    ...(bytesToFree > 0 ? [`free ${formatBytes(bytesToFree)}`] : []),
  ];
  return parts.length === 0 ? undefined : parts.join(", ");
}
