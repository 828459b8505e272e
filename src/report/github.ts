import type { Diagnostic, SourceLocation } from "../domain/diagnostic.ts";
import type { DriftReport } from "../domain/drift.ts";
import { driftClasses, driftPhrase } from "./drift-wording.ts";
import { commandData, commandProperty } from "./escape.ts";

/** One remark on a line of a file, or on none. */
export interface Annotation {
  readonly severity: "error" | "warning" | "note";
  readonly title: string;
  readonly message: string;
  readonly location?: SourceLocation;
}

/** The runner shows ten annotations of each kind per step and drops the rest without a word: nine, and one that says so. */
const maximumPerKind = 9;
const commands = { error: "error", warning: "warning", note: "notice" } as const;

/** Workflow commands for the log of a GitHub job. */
export function renderGithubAnnotations(annotations: readonly Annotation[]): string {
  const lines = (["error", "warning", "note"] as const).flatMap((severity) => {
    const all = annotations.filter((annotation) => annotation.severity === severity);
    const left = all.length - maximumPerKind;
    return [
      ...all.slice(0, maximumPerKind).map(commandOf),
      ...(left > 0 ? [`::${commands[severity]} title=holdfast::and ${left} more, see the summary`] : []),
    ];
  });
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** The drifts of a report, worst first. */
export function driftAnnotations(report: DriftReport): readonly Annotation[] {
  return report.drifts.map((drift) => ({
    severity: driftClasses[drift.class].severity,
    title: `drift: ${drift.class}`,
    message: `${drift.object}: ${driftPhrase(drift)}`,
    ...(drift.location === undefined ? {} : { location: drift.location }),
  }));
}

/** Findings about manifests, with the remedy in the message. */
export function diagnosticAnnotations(diagnostics: readonly Diagnostic[]): readonly Annotation[] {
  return diagnostics.map((diagnostic) => ({
    severity: diagnostic.severity,
    title: diagnostic.code,
    message: diagnostic.remedy === undefined ? diagnostic.message : `${diagnostic.message}. ${diagnostic.remedy}`,
    ...(diagnostic.location === undefined ? {} : { location: diagnostic.location }),
  }));
}

function commandOf(annotation: Annotation): string {
  const { location } = annotation;
  const place = location === undefined ? [] : [`file=${commandProperty(location.file)}`, `line=${location.line}`, `col=${location.column}`];
  const properties = [...place, `title=${commandProperty(annotation.title)}`].join(",");
  return `::${commands[annotation.severity]} ${properties}::${commandData(annotation.message)}`;
}
