import { isSwitch, type Action } from "../action.ts";
import type { Assessment } from "./assess.ts";
import { allAt, itemAt } from "../place-index.ts";
import { loadRefusal, unloadRefusal } from "./runtime-still-valid.ts";
import { lockEntryOf } from "../lock.ts";
import { placementOf, sameRef } from "../placement.ts";
import { canonicalJson } from "../json.ts";
import { plan } from "./plan.ts";
import type { PlanInput } from "./plan-input.ts";
import { activeOnly, isWanted } from "./leaving.ts";

/**
 * Why an action of a saved plan must not run any more, or undefined when it may. A plan file is only a wish: what may be deleted or written is decided
 * by manifests, lock and inventory as they are now, never by the file.
 */
export function refusalOf(action: Action, assessments: readonly Assessment[], input: PlanInput): string | undefined {
  if (!fitsItsWork(action)) return "the plan file contradicts itself about what this action touches";
  switch (action.verb) {
    case "purge":
      return purgeRefusal(action, assessments, input);
    case "deprecate":
    case "forget":
      return isWanted(action, activeOnly(assessments)) ? "a manifest wants it again" : undefined;
    case "activate":
    case "deactivate":
      return switchRefusal(action, input);
    case "load":
      return declaredRefusal(action, input) ?? loadRefusal(action, assessments);
    case "unload":
      return unloadRefusal(action, assessments, input);
    default:
      return declaredRefusal(action, input);
  }
}

/** The place an action names is the place its work touches. */
function fitsItsWork({ work, store, ref }: Action): boolean {
  if (work.verb === "tag") return sameRef(store, work.request.to, ref);
  if (work.verb === "purge") return sameRef(store, work.request.ref, ref);
  if (work.verb === "load" || work.verb === "unload") return store.startsWith("ollama:") && sameRef(store, work.request.ref, ref);
  if (work.verb !== "pull" && work.verb !== "repair") return true;
  const { request } = work;
  if (request.kind === "ollama") return store.startsWith("ollama:") && sameRef(store, request.model, ref);
  return request.layout === "dir"
    ? store === "directory" && request.dir === ref
    : store === "huggingface" && ref === `${request.repo}@${request.commit}`;
}

/** What a port serves is decided by what stands behind it now: a switch runs only when it would be planned again, word for word. */
function switchRefusal(action: Action, input: PlanInput): string | undefined {
  const now = plan(input).actions.find((candidate) => candidate.object === action.object && isSwitch(candidate.verb));
  if (now === undefined) return "nothing has to be switched any more, or something stands in the way";
  const same = now.verb === action.verb && canonicalJson(now.work) === canonicalJson(action.work);
  return same ? undefined : `it would be done differently now: ${now.verb} ${now.name}, ${now.reason}`;
}

function declaredRefusal(action: Action, input: PlanInput): string | undefined {
  const model = input.desired.models.find((candidate) => candidate.metadata.name === action.name);
  if (model === undefined) return "no manifest declares it any more";
  const placement = placementOf(model, input.desired, undefined);
  if (placement.kind === "remote" || placement.store !== action.store) return "its manifest puts it somewhere else now";
  if (placement.ref !== undefined && !sameRef(action.store, placement.ref, action.ref)) return "its manifest names another source now";
  const { source } = model;
  return source.kind === "huggingface" && action.store === "huggingface" && !action.ref.startsWith(`${source.repo}@`)
    ? "its manifest names another source now"
    : undefined;
}

function purgeRefusal(action: Action, assessments: readonly Assessment[], input: PlanInput): string | undefined {
  const item = allAt(input.memory.inventory, action).find((candidate) => candidate.name === action.name);
  const unmanaged = input.options.unmanaged === "purge" && itemAt(input.memory.discovered, action) !== undefined;
  if (item === undefined && !unmanaged) return "Holdfast does not own it";
  if (item?.protect === true) return "it is protected";
  if (itemAt(input.memory.deprecations, action) === undefined) return "it is not deprecated any more";
  if (isWanted(action, activeOnly(assessments))) return "a manifest wants it again";
  if (!action.preconditions.some((precondition) => precondition.kind === "unchanged" && sameRef(action.store, precondition.ref, action.ref)))
    return "the plan file does not say what it looked like";
  const role = input.desired.roles.find((candidate) => candidate.prefer.includes(action.name) || candidate.fallback === action.name);
  if (role !== undefined) return `role ${role.metadata.name} points at it`;
  const locked = lockEntryOf(input.lock, action.name)?.source;
  const contentId = item?.contentId;
  const pinned = locked?.kind === "ollama" ? locked.manifestDigest : locked?.kind === "huggingface" ? locked.commit : undefined;
  return pinned !== undefined && pinned === contentId ? "it is locked" : undefined;
}
