import type { Action } from "../action.ts";
import type { Assessment } from "./assess.ts";
import { wishFor } from "./kept-loaded.ts";
import type { KeepLoaded } from "../model.ts";
import type { Holding } from "../observed.ts";
import { observationOf, sameRef } from "../placement.ts";
import { allAt, itemAt } from "../place-index.ts";
import type { PlanInput } from "./plan-input.ts";

/** Why a load of a saved plan must not run any more: its manifest asks for something else by now. */
export function loadRefusal(action: Action, assessments: readonly Assessment[]): string | undefined {
  const { work } = action;
  const wish = wishNow(action, assessments);
  return work.verb === "load" && work.request.keep === wish ? undefined : "its manifest asks for something else now";
}

/** Why an unload of a saved plan must not run any more: what is in memory is wanted, or not Holdfast's to take out. */
export function unloadRefusal(action: Action, assessments: readonly Assessment[], input: PlanInput): string | undefined {
  const item = allAt(input.memory.inventory, action).find((candidate) => candidate.name === action.name);
  if (item === undefined && heldAs(action, assessments) === undefined) return "Holdfast does not own it";
  if (isOlderContent(action, input)) return undefined;
  if (wishNow(action, assessments) !== undefined) return "a manifest wants it in memory";
  return item?.keepLoaded === undefined ? "Holdfast did not load it" : undefined;
}

function isOlderContent({ work, store, ref }: Action, { observed }: PlanInput): boolean {
  const observation = observationOf(observed.stores, store);
  const present = observation?.state === "observed" ? itemAt(observation.holdings, { store, ref }) : undefined;
  const digest = work.verb === "unload" ? work.request.digest : undefined;
  return digest !== undefined && present?.contentId !== undefined && digest !== present.contentId;
}

function wishNow(action: Action, assessments: readonly Assessment[]): KeepLoaded | undefined {
  const holding = heldAs(action, assessments);
  if (holding !== undefined) return wishFor(holding, assessments);
  const model = assessments.find((candidate) => candidate.model.metadata.name === action.name)?.model;
  return model?.lifecycle.state === "active" ? model.keepLoaded : undefined;
}

function heldAs({ name, store, ref }: Action, assessments: readonly Assessment[]): Holding | undefined {
  const held = assessments.find((candidate) => candidate.model.metadata.name === name);
  return held?.state === "held" && sameRef(store, held.holding.ref, ref) ? held.holding : undefined;
}
