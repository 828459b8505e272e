import type { Action, Blocked, Plan } from "../domain/action.ts";
import { withBlocked, withVerdicts } from "../domain/plan/plan.ts";
import { refusalOf } from "../domain/plan/still-valid.ts";
import type { Host } from "./host.ts";
import { judge, preview, type Preview, type PreviewOptions } from "./preview.ts";
import type { Project } from "./read-project.ts";
import { finish, withFindings, type PassResult } from "./reconcile.ts";
import { settleClock } from "./settle-clock.ts";

/**
 * Applies a saved plan instead of a fresh one. Manifests, lock, inventory and policies of now decide what of it may still run; beyond that each action
 * checks its own preconditions, so that unrelated changes do not make the plan stale.
 */
export async function applyPlan(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  plan: Plan,
  options: PreviewOptions & { readonly command: string },
  signal: AbortSignal,
): Promise<PassResult> {
  const release = await host.lock.acquire(options.command);
  try {
    const startedAt = host.clock.now();
    const jumps = await settleClock(host);
    const current = await preview(host, project, options, signal);
    const allowed = withBlocked(
      plan,
      plan.actions.flatMap((action) => refusal(action, current)),
    );
    const checked = withVerdicts(allowed, await judge(host, allowed, current.input));
    return withFindings(await finish(host, { ...current, plan: { ...checked, bookkeeping: [] } }, options, startedAt, signal), jumps);
  } finally {
    release();
  }
}

function refusal(action: Action, current: Preview): readonly (readonly [string, Blocked])[] {
  const reason = refusalOf(action, current.assessments, current.input);
  if (reason === undefined) return [];
  const failure = { code: "precondition", retry: "transient", message: `${action.object}: ${reason}` } as const;
  return [[action.id, { object: action.object, cause: "guard", reason: `${action.verb} refused: ${reason}`, failure, remedy: "plan again" }]];
}
