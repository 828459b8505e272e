import type { PassResult } from "../../app/reconcile.ts";

/** What a pass did, one JSON object a line: each action with its outcome, what was in the way, what differs still, and the pass itself last. */
export function renderPassLines({ before, outcomes, publication, exitCode, failure }: PassResult): string {
  const byId = new Map(outcomes.map((outcome) => [outcome.actionId, outcome]));
  const lines: readonly object[] = [
    ...before.plan.actions.map((action) => ({ kind: "action", action, outcome: byId.get(action.id) ?? null })),
    ...before.plan.blocked.map((blocked) => ({ kind: "blocked", blocked })),
    ...publication.report.drifts.map((drift) => ({ kind: "drift", drift })),
    { kind: "pass", exitCode, revision: before.plan.revision, planDigest: before.plan.digest, ...(failure === undefined ? {} : { failure }) },
  ];
  return lines.map((line) => `${JSON.stringify({ apiVersion: "holdfast.dev/v1", ...line })}\n`).join("");
}
