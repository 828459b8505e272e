import type { Drift, DriftReport } from "../domain/drift.ts";
import type { Instant } from "../domain/resource.ts";
import { driftBasis, driftPhrase, driftSentence, proofSentence, toneOf } from "./drift-wording.ts";
import { plainText } from "./escape.ts";
import { noPaint, type Paint } from "./paint.ts";
import { displayWidth, padEnd, wrapText } from "./text-layout.ts";

/** How a drift report is shown. */
export interface DriftTextOptions {
  readonly colour?: Paint;
  readonly width?: number;
  /** With it, ages are shown instead of instants. */
  readonly now?: Instant;
  /** Adds store, reference and id of each drift. */
  readonly details?: boolean;
}

/** A drift report for people: what it speaks about, one entry per drift, worst first, and a stable last line. */
export function renderDriftText(report: DriftReport, options: DriftTextOptions = {}): string {
  const paint = options.colour ?? noPaint;
  const sections = [
    headingOf(report, options),
    ...(report.drifts.length === 0
      ? ["No drift. The machine matches the manifests."]
      : [report.drifts.flatMap((drift) => linesOf(drift, report, options)).join("\n")]),
    paint("heading", `Drift: ${driftSentence(report)}`),
  ];
  return `${sections.join("\n\n")}\n`;
}

function headingOf(report: DriftReport, options: DriftTextOptions): string {
  const paint = options.colour ?? noPaint;
  const width = options.width ?? 80;
  const proof = proofSentence(report, options.now);
  return [
    ...wrapText(plainText(`Drift of ${driftBasis(report, options.now)}`), width).map((line) => paint("heading", line)),
    ...(proof === undefined
      ? []
      : wrapText(plainText(`${proof.charAt(0).toUpperCase()}${proof.slice(1)}.`), width).map((line) => paint("quiet", line))),
  ].join("\n");
}

function linesOf(drift: Drift, report: DriftReport, options: DriftTextOptions): readonly string[] {
  const paint = options.colour ?? noPaint;
  const labelWidth = Math.max(...report.drifts.map((each) => each.class.length)) + 1;
  const indent = " ".repeat(labelWidth + 1);
  const room = Math.max(30, (options.width ?? 80) - displayWidth(indent));
  const object = plainText(drift.object);
  const message = plainText(driftPhrase(drift));
  const onOneLine = displayWidth(object) + 2 + displayWidth(message) <= room;
  const place = drift.location === undefined ? [] : [`${drift.location.file}:${drift.location.line}`];
  const more = options.details === true ? detailsOf(drift) : [];
  return [
    `${paint(toneOf(drift.class), padEnd(drift.class.toUpperCase(), labelWidth))} ${onOneLine ? `${object}  ${message}` : object}`,
    ...(onOneLine ? [] : wrapText(message, room).map((line) => `${indent}${line}`)),
    ...wrapText(plainText([...place, `-> ${drift.response}`].join("  ")), room).map((line) => paint("quiet", `${indent}${line}`)),
    ...more.map((line) => paint("quiet", `${indent}${plainText(line)}`)),
  ];
}

function detailsOf(drift: Drift): readonly string[] {
  const where = [drift.store, drift.ref, drift.path].filter((part) => part !== undefined);
  const values = [
    ...(drift.expected === undefined ? [] : [`expected ${drift.expected}`]),
    ...(drift.actual === undefined ? [] : [`found ${drift.actual}`]),
  ];
  return [...(where.length === 0 ? [] : [`at ${where.join(" ")}`]), ...values, `id ${drift.id}, level ${drift.level}`];
}
