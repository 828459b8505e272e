import type { Action, Blocked, Verb } from "../action.ts";
import type { ActionDraft, PlanInput, PlanPart } from "./plan-input.ts";
import type { Loss } from "./plan-watch.ts";

/** Takes out of a plan what must not happen without a person: mass deletion, deletion on an empty desired state, pulls after a suspicious loss. */
export function applyGuards(part: PlanPart, losses: readonly Loss[], input: PlanInput): PlanPart {
  return holdLosses(brakeDeletions(refuseEmpty(part, input), input), losses);
}

function refuseEmpty(part: PlanPart, input: PlanInput): PlanPart {
  if (input.desired.models.length > 0 || input.options.prune.allowEmpty) return part;
  return withhold(part, (draft) => ["purge", "deprecate", "forget", "unload"].includes(draft.verb), {
    reason: "the manifests declare no model at all, which looks like a wrong folder or branch",
    remedy: "check the manifests folder and the branch; --allow-empty confirms it",
  });
}

function brakeDeletions(part: PlanPart, input: PlanInput): PlanPart {
  const deletions = part.actions.filter((draft) => draft.verb === "purge").length;
  const { maxDeletions, maxDeletionPercent, confirmedDeletions } = input.options.prune;
  const owned = Math.max(input.memory.inventory.length, 1);
  const tooMany = deletions > maxDeletions || (deletions > 1 && deletions * 100 > owned * maxDeletionPercent);
  if (!tooMany || confirmedDeletions === deletions) return part;
  return withhold(part, (draft) => draft.verb === "purge", {
    reason: `${deletions} of ${owned} models would be deleted at once (limit ${maxDeletions} or ${maxDeletionPercent} %)`,
    remedy: `--yes-delete ${deletions} confirms exactly this number`,
  });
}

/** Verbs that neither add to a store nor take from it. */
const harmless: ReadonlySet<Verb> = new Set(["import", "undeprecate", "hash", "activate", "deactivate"]);

function holdLosses(part: PlanPart, losses: readonly Loss[]): PlanPart {
  return losses
    .filter((loss) => !loss.confirmed)
    .reduce(
      (rest, loss) =>
        withhold(rest, (draft) => draft.store === loss.store && !harmless.has(draft.verb), {
          reason: `suspicious observation: ${loss.lost} of ${loss.owned} models vanished from ${loss.store} at once`,
          remedy: "reconcile again in 30 seconds: the same result twice is believed; --accept-loss believes it now",
        }),
      part,
    );
}

function withhold(part: PlanPart, concerned: (draft: ActionDraft) => boolean, why: { readonly reason: string; readonly remedy: string }): PlanPart {
  const direct = part.actions.filter(concerned);
  const keys = new Set(direct.map((draft) => `${draft.object} ${draft.verb}`));
  const dependent = part.actions.filter((draft) => !concerned(draft) && draft.after.some((key) => keys.has(key)));
  const withheld = new Set([...direct, ...dependent]);
  const blocked = [...withheld].map((draft): Blocked => {
    const location = draft.location === undefined ? {} : { location: draft.location };
    return { object: draft.object, cause: "guard", reason: `${draft.verb} withheld: ${why.reason}`, remedy: why.remedy, ...location };
  });
  return { ...part, actions: part.actions.filter((draft) => !withheld.has(draft)), blocked: [...part.blocked, ...blocked] };
}

/** True when applying this action deletes bytes. */
export function isDestructive(action: Pick<Action, "risk">): boolean {
  return action.risk === "destructive";
}
