import { isSwitch, type Action, type Outcome, type Plan } from "../domain/action.ts";
import { failed, toFailure } from "../domain/failure.ts";
import { applyAction } from "./apply-action.ts";
import { checkPreconditions, freshLook, recordedLook } from "./check-preconditions.ts";
import type { ExecuteContext } from "./execute-context.ts";

/**
 * Runs a plan: each action after what it depends on, bounded in parallel, never more at once on a store than its writer allows. A failure stops what
 * depends on it and nothing else. What an action achieved is remembered as soon as it is done, so that a crash loses no more than the running ones.
 */
export async function execute(plan: Plan, context: ExecuteContext): Promise<readonly Outcome[]> {
  const outcomes = new Map<string, Outcome>();
  const running = new Map<string, Promise<void>>();
  const waiting = new Set(plan.actions);
  while (waiting.size > 0 || running.size > 0) {
    for (const action of waiting) {
      const verdict = readiness(action, outcomes, running, plan, context);
      if (verdict === "wait") continue;
      waiting.delete(action);
      if (verdict !== "start") {
        settle({ state: "skipped", actionId: action.id, because: verdict.because }, outcomes, context);
        continue;
      }
      const work = runAction(action, context).then((outcome) => {
        running.delete(action.id);
        settle(outcome, outcomes, context);
      });
      running.set(action.id, work);
    }
    if (running.size > 0) await Promise.race(running.values());
  }
  if (plan.bookkeeping.length > 0 && !context.signal.aborted) await context.state.commit(plan.bookkeeping);
  return plan.actions.flatMap((action) => outcomes.get(action.id) ?? []);
}

type Readiness = "start" | "wait" | { readonly because: string };

function readiness(
  action: Action,
  outcomes: ReadonlyMap<string, Outcome>,
  running: ReadonlyMap<string, unknown>,
  plan: Plan,
  context: ExecuteContext,
): Readiness {
  if (context.signal.aborted) return { because: "cancelled" };
  for (const id of action.dependsOn) {
    const outcome = outcomes.get(id);
    if (outcome === undefined) return "wait";
    if (outcome.state !== "applied") return { because: `${id} did not succeed` };
  }
  if (running.size >= context.concurrency) return "wait";
  if (writesOnlyRecords(action)) return "start";
  const beside = plan.actions.filter((other) => running.has(other.id) && isSwitch(other.verb) === isSwitch(action.verb));
  // One switch at a time: two engines that start together measure each other's memory.
  if (isSwitch(action.verb)) return beside.length > 0 ? "wait" : "start";
  const writer = context.connections.writers.find((candidate) => candidate.store === action.store);
  const busy = beside.filter((other) => other.store === action.store).length;
  return busy >= (writer?.concurrency ?? 1) ? "wait" : "start";
}

/** Nothing outside changes, so what this run saw is fresh enough, and no writer has to be waited for. */
function writesOnlyRecords({ verb, dependsOn }: Action): boolean {
  return (verb === "import" && dependsOn.length === 0) || verb === "deprecate" || verb === "undeprecate" || verb === "forget";
}

function settle(outcome: Outcome, outcomes: Map<string, Outcome>, context: ExecuteContext): void {
  outcomes.set(outcome.actionId, outcome);
  const detail = outcome.state === "applied" ? outcome.detail : outcome.state === "failed" ? outcome.failure.message : outcome.because;
  context.progress({ type: "end", id: outcome.actionId, result: outcome.state, detail });
}

async function runAction(action: Action, context: ExecuteContext): Promise<Outcome> {
  const total = action.bytesToDownload > 0 ? { total: action.bytesToDownload } : {};
  context.progress({ type: "start", id: action.id, object: action.object, verb: action.verb, detail: action.reason, ...total });
  try {
    const look = writesOnlyRecords(action) ? recordedLook(context.observed) : freshLook(context.connections.readers, context.signal);
    const reason = await checkPreconditions(action, look);
    if (reason !== undefined)
      throw failed("precondition", `${action.object}: ${reason}`, {
        retry: "transient",
        remedy: "plan again: something changed since this plan was made",
      });
    const { changes, detail } = await applyAction(action, context);
    await context.state.commit(changes);
    return { state: "applied", actionId: action.id, detail };
  } catch (error) {
    return { state: "failed", actionId: action.id, failure: toFailure(error) };
  }
}
