import type { Drift, DriftReport } from "../domain/drift.ts";
import { driftClasses, driftPhrase } from "./drift-wording.ts";
import { xmlText } from "./escape.ts";

/** A drift report as JUnit XML: models in sync pass, drifts of severity error fail, unknown ones are errors, the rest is skipped with its text. */
export function renderJunit(report: DriftReport): string {
  const failures = report.drifts.filter((drift) => kindOf(drift) === "failure").length;
  const errors = report.drifts.filter((drift) => kindOf(drift) === "error").length;
  const skipped = report.drifts.length - failures - errors;
  const tests = report.drifts.length + report.inSync.length;
  const counts = `tests="${tests}" failures="${failures}" errors="${errors}" skipped="${skipped}"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="holdfast" ${counts}>`,
    `  <testsuite name="drift" ${counts} timestamp="${xmlText(report.observedAt.replace(/(\.\d+)?Z$/, ""))}">`,
    ...report.inSync.map((name) => `    <testcase classname="drift.in-sync" name="${xmlText(`model/${name}`)}"/>`),
    ...report.drifts.flatMap(caseOf),
    "  </testsuite>",
    "</testsuites>",
  ];
  return `${lines.join("\n")}\n`;
}

function caseOf(drift: Drift): readonly string[] {
  const kind = kindOf(drift);
  const text = xmlText(driftPhrase(drift));
  const file = drift.location === undefined ? "" : ` file="${xmlText(drift.location.file)}" line="${drift.location.line}"`;
  const name = xmlText(drift.path === undefined ? drift.object : `${drift.object} ${drift.path}`);
  const body =
    kind === "skipped"
      ? `<skipped message="${text}"/>`
      : `<${kind} type="${drift.class}" message="${text}">${xmlText(`Response: ${drift.response}`)}</${kind}>`;
  return [`    <testcase classname="drift.${drift.class}" name="${name}"${file}>`, `      ${body}`, "    </testcase>"];
}

function kindOf(drift: Drift): "failure" | "error" | "skipped" {
  if (drift.class === "unknown") return "error";
  return driftClasses[drift.class].severity === "error" ? "failure" : "skipped";
}
