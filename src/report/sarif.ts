import { sha256 } from "../domain/digest.ts";
import type { Drift, DriftReport } from "../domain/drift.ts";
import { driftClasses, driftOrder, driftPhrase } from "./drift-wording.ts";
import { escapeUnprintable } from "./escape.ts";
import { redact } from "./redact.ts";

/** What a SARIF file says about its maker. */
export interface SarifOptions {
  readonly toolVersion: string;
  /** File that results without a place of their own point at: code scanning drops results that point nowhere. */
  readonly fallbackFile?: string;
}

/** GitHub keeps the first 5,000 results of a run and rejects more than 25,000. */
const maximumResults = 5000;

/** A drift report as SARIF 2.1.0, one run, worst results first. */
export function renderSarif(report: DriftReport, options: SarifOptions): string {
  const kept = report.drifts.slice(0, maximumResults);
  const left = report.drifts.length - kept.length;
  const run = {
    tool: { driver: { name: "Holdfast", semanticVersion: options.toolVersion, rules: driftOrder.map((name) => ruleOf(name)) } },
    invocations: [
      { executionSuccessful: true, endTimeUtc: report.observedAt, ...(left > 0 ? { toolExecutionNotifications: [notification(left)] } : {}) },
    ],
    automationDetails: { id: "holdfast/drift/" },
    columnKind: "utf16CodeUnits",
    properties: { revision: report.revision, level: report.level },
    results: kept.map((drift) => resultOf(drift, options.fallbackFile ?? "configs/holdfast.yaml")),
  };
  return `${JSON.stringify({ $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] }, null, 2)}\n`;
}

function ruleOf(name: Drift["class"]): object {
  const { severity, meaning } = driftClasses[name];
  return {
    id: `drift/${name}`,
    name: `drift-${name}`,
    shortDescription: { text: meaning },
    defaultConfiguration: { level: severity },
    properties: { tags: ["drift"] },
  };
}

function resultOf(drift: Drift, fallbackFile: string): object {
  const file = drift.location?.file ?? fallbackFile;
  const region = drift.location === undefined ? { startLine: 1 } : { startLine: drift.location.line, startColumn: drift.location.column };
  return {
    ruleId: `drift/${drift.class}`,
    ruleIndex: driftOrder.indexOf(drift.class),
    level: driftClasses[drift.class].severity,
    message: { text: safe(`${drift.object}: ${driftPhrase(drift)}. Response: ${drift.response}`) },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: encodePath(file), uriBaseId: "%SRCROOT%" }, region },
        logicalLocations: [{ fullyQualifiedName: safe(drift.object), kind: "resource" }],
      },
    ],
    partialFingerprints: { "holdfastDrift/v1": sha256(drift.id) },
    properties: {
      level: drift.level,
      ...(drift.store === undefined ? {} : { store: drift.store }),
      ...(drift.ref === undefined ? {} : { ref: safe(drift.ref) }),
      ...(drift.expected === undefined ? {} : { expected: safe(drift.expected) }),
      ...(drift.actual === undefined ? {} : { actual: safe(drift.actual) }),
    },
  };
}

function notification(left: number): object {
  return { level: "warning", message: { text: `${left} further results were left out; the JSON report has them all` } };
}

function encodePath(file: string): string {
  return file
    .split("/")
    .map((segment) => encodeURIComponent(segment.toWellFormed()))
    .join("/");
}

function safe(text: string): string {
  return escapeUnprintable(redact(text));
}
