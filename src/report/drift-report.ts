import { compareText } from "../domain/diagnostic.ts";
import type { Drift, DriftClass, DriftReport } from "../domain/drift.ts";
import { driftOrder } from "./drift-wording.ts";

/** What a drift report says beside the drifts. */
export type DriftContext = Omit<DriftReport, "formatVersion" | "summary" | "drifts">;

/** Builds the published report: every class counted, drifts worst first, independent of the order they were found in. */
export function buildDriftReport(drifts: readonly Drift[], context: DriftContext): DriftReport {
  const sorted = drifts.toSorted(compareDrift);
  const { revision, observedAt, level, inSync, verifiedAt } = context;
  return {
    formatVersion: "1.0",
    revision,
    observedAt,
    level,
    summary: summaryOf(sorted),
    inSync: inSync.toSorted(compareText),
    drifts: sorted,
    verifiedAt: { ...verifiedAt, never: verifiedAt.never.toSorted(compareText) },
  };
}

function summaryOf(drifts: readonly Drift[]): Readonly<Record<DriftClass, number>> {
  const summary: Record<DriftClass, number> = { ...zero };
  for (const drift of drifts) summary[drift.class]++;
  return summary;
}

const zero: Readonly<Record<DriftClass, number>> = {
  corrupt: 0,
  digest: 0,
  incomplete: 0,
  missing: 0,
  unknown: 0,
  unverified: 0,
  role: 0,
  backend: 0,
  "stale-runner": 0,
  config: 0,
  "upstream-moved": 0,
  extra: 0,
};

function compareDrift(a: Drift, b: Drift): number {
  return (
    driftOrder.indexOf(a.class) - driftOrder.indexOf(b.class) ||
    compareText(a.object, b.object) ||
    compareText(a.path ?? "", b.path ?? "") ||
    compareText(a.id, b.id) ||
    compareText(a.message, b.message)
  );
}
