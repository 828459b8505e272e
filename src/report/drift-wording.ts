import type { Drift, DriftClass, DriftReport } from "../domain/drift.ts";
import type { Instant } from "../domain/resource.ts";
import type { Tone } from "./paint.ts";
import { formatAge, formatInstant, revisionPhrase, shortDigest } from "./quantities.ts";

/** How bad a class is: `error` = the machine does not have what is declared; `warning` = somebody should look; `note` = for information. */
export type Severity = "error" | "warning" | "note";

/** All classes, worst first: the order of reports. `always` classes are named in the summary even when nothing is of them. */
export const driftClasses: Readonly<Record<DriftClass, { readonly severity: Severity; readonly meaning: string; readonly always: boolean }>> = {
  corrupt: { severity: "error", meaning: "stored bytes are not what their own metadata says", always: true },
  digest: { severity: "error", meaning: "other content than the lock or the manifest says", always: true },
  incomplete: { severity: "error", meaning: "files are missing or have the wrong size", always: false },
  missing: { severity: "error", meaning: "declared and not there", always: true },
  unknown: { severity: "warning", meaning: "could not be observed", always: true },
  unverified: { severity: "warning", meaning: "present, but its bytes were never proven", always: false },
  role: { severity: "warning", meaning: "a role is not filled as declared", always: false },
  backend: { severity: "warning", meaning: "a backend serves something else than declared", always: false },
  "stale-runner": { severity: "warning", meaning: "a server still runs an older version of the model", always: false },
  config: { severity: "warning", meaning: "settings differ from the manifest", always: false },
  "upstream-moved": { severity: "note", meaning: "the tag upstream points elsewhere now; reported only", always: false },
  extra: { severity: "note", meaning: "there, and nobody declared it", always: true },
};

/** Class names, worst first. */
export const driftOrder = Object.keys(driftClasses).filter((name): name is DriftClass => name in driftClasses);

export function toneOf(drift: DriftClass): Tone {
  const { severity } = driftClasses[drift];
  return severity === "error" ? "error" : severity === "warning" ? "warning" : "quiet";
}

/** The frozen sentence that starts `Drift:`. */
export function driftSentence(report: DriftReport): string {
  const counts = driftOrder.filter((name) => driftClasses[name].always || report.summary[name] > 0).map((name) => `${report.summary[name]} ${name}`);
  return `${counts.join(", ")}. ${report.inSync.length} in sync.`;
}

/** Counts of what there is, for headings: `1 digest, 2 missing`. */
export function driftWords(report: DriftReport): string {
  const counts = driftOrder.filter((name) => report.summary[name] > 0).map((name) => `${report.summary[name]} ${name}`);
  return counts.length === 0 ? "no drift" : counts.join(", ");
}

/** Which input, when and how closely: the sentence without which a status lies. */
export function driftBasis(report: DriftReport, now?: Instant): string {
  const age = now === undefined ? "" : ` (${formatAge(report.observedAt, now)} ago)`;
  return `${revisionPhrase(report.revision)}, observed ${formatInstant(report.observedAt)}${age}, level ${report.level}`;
}

/** How old the proof of the bytes is. */
export function proofSentence(report: DriftReport, now?: Instant): string | undefined {
  const { oldest, newest, never } = report.verifiedAt;
  const age = (instant: Instant): string => (now === undefined ? formatInstant(instant) : `${formatAge(instant, now)} ago`);
  const proven =
    oldest === undefined || newest === undefined
      ? []
      : [oldest === newest ? `bytes proven ${age(oldest)}` : `bytes proven between ${age(oldest)} and ${age(newest)}`];
  const parts = [
    ...proven,
    ...(never.length === 0 ? [] : [`never proven: ${never.slice(0, 5).join(", ")}${never.length > 5 ? ` and ${never.length - 5} more` : ""}`]),
  ];
  return parts.length === 0 ? undefined : parts.join("; ");
}

/** Message with expectation and finding, when the message does not already say them; digests are shortened. */
export function driftPhrase(drift: Drift): string {
  const expected = shown(drift.expected);
  const actual = shown(drift.actual);
  const said = (value: string | undefined): boolean => value === undefined || drift.message.includes(value);
  if (said(expected) && said(actual)) return drift.message;
  return `${drift.message} (expected ${expected ?? "nothing"}, found ${actual ?? "nothing"})`;
}

function shown(value: string | undefined): string | undefined {
  return value === undefined ? undefined : value.replaceAll(/\b(?:sha256:)?[0-9a-f]{64}\b/g, shortDigest);
}
