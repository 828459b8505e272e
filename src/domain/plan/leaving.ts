import type { Assessment } from "./assess.ts";
import type { Deprecation, InventoryItem } from "../inventory.ts";
import type { Holding, StoreId } from "../observed.ts";
import { observationOf } from "../placement.ts";
import { itemAt, type Place } from "../place-index.ts";
import { ownedBy } from "./plan-declared.ts";
import type { PlanInput } from "./plan-input.ts";

/** Something on its way out of a store, and why. */
export interface Leaving {
  readonly name: string;
  readonly store: StoreId;
  readonly ref: string;
  readonly because: Deprecation["reason"];
  readonly contentId?: string;
  readonly item?: InventoryItem;
  readonly assessment?: Extract<Assessment, { state: "held" }>;
  readonly holding?: Holding;
}

/** Everything on its way out: what left the manifests, what they deprecate, and, where the settings say so, what nobody declares. */
export function leavingThings(assessments: readonly Assessment[], input: PlanInput): readonly Leaving[] {
  return [...leavingInventory(assessments, input), ...leavingDeclared(assessments, input), ...leavingUnmanaged(assessments, input)];
}

function leavingInventory(assessments: readonly Assessment[], input: PlanInput): readonly Leaving[] {
  const remote = new Set(assessments.flatMap((a) => (a.state === "remote" ? [a.model.metadata.name] : [])));
  const settled = new Set(
    assessments.flatMap((a) => (a.state === "held" && a.defects.length === 0 && a.identity !== "different" ? [a.model.metadata.name] : [])),
  );
  const declared = new Set(input.desired.models.map((model) => model.metadata.name));
  return input.memory.inventory
    .filter((item) => !isWanted(item, assessments))
    .filter((item) => !declared.has(item.name) || settled.has(item.name) || remote.has(item.name))
    .map((item): Leaving => {
      const holding = holdingAt(input, item.store, item.ref);
      const { name, store, ref } = item;
      const contentId = holding?.contentId ?? item.contentId;
      return {
        name,
        store,
        ref,
        because: "not-in-manifests",
        item,
        ...(contentId === undefined ? {} : { contentId }),
        ...(holding === undefined ? {} : { holding }),
      };
    });
}

/** True when a declared model lives (or will live) at this very place. */
export function isWanted(place: Place, assessments: readonly Assessment[]): boolean {
  return itemAt(wantedPlaces(assessments), place) !== undefined;
}

const active = new WeakMap<readonly Assessment[], readonly Assessment[]>();

/** Assessments of models that are to stay. */
export function activeOnly(assessments: readonly Assessment[]): readonly Assessment[] {
  const known = active.get(assessments) ?? assessments.filter((assessment) => assessment.model.lifecycle.state === "active");
  active.set(assessments, known);
  return known;
}

const wanted = new WeakMap<readonly Assessment[], readonly Place[]>();

function wantedPlaces(assessments: readonly Assessment[]): readonly Place[] {
  const known = wanted.get(assessments);
  if (known !== undefined) return known;
  const places = assessments.flatMap((assessment): readonly Place[] => {
    if (assessment.state === "remote") return [];
    const ref = assessment.state === "held" ? assessment.holding.ref : "ref" in assessment ? assessment.ref : undefined;
    return ref === undefined ? [] : [{ store: assessment.store, ref }];
  });
  wanted.set(assessments, places);
  return places;
}

function leavingDeclared(assessments: readonly Assessment[], input: PlanInput): readonly Leaving[] {
  return assessments.flatMap((assessment): readonly Leaving[] => {
    if (assessment.state !== "held" || assessment.model.lifecycle.state !== "deprecated") return [];
    const { holding, model, store } = assessment;
    // An active model on the same bytes keeps them, whatever becomes of this name.
    if (isWanted(holding, activeOnly(assessments))) return [];
    const content = holding.contentId === undefined ? {} : { contentId: holding.contentId };
    const item = ownedBy(assessment, input.memory);
    return [
      {
        name: model.metadata.name,
        store,
        ref: holding.ref,
        because: "lifecycle",
        holding,
        assessment,
        ...content,
        ...(item === undefined ? {} : { item }),
      },
    ];
  });
}

function leavingUnmanaged(assessments: readonly Assessment[], input: PlanInput): readonly Leaving[] {
  const { unmanaged } = input.options;
  if (unmanaged !== "deprecate" && unmanaged !== "purge") return [];
  return unmanagedHoldings(assessments, input).map((holding): Leaving => {
    const name = itemAt(input.memory.discovered, holding)?.name ?? holding.ref;
    return {
      name,
      store: holding.store,
      ref: holding.ref,
      because: "unmanaged",
      holding,
      ...(holding.contentId === undefined ? {} : { contentId: holding.contentId }),
    };
  });
}

/** Holdings that no manifest declares and the inventory does not list: somebody else's. */
export function unmanagedHoldings(assessments: readonly Assessment[], input: Pick<PlanInput, "observed" | "memory">): readonly Holding[] {
  const holdings = input.observed.stores.flatMap((observation) => (observation.state === "observed" ? observation.holdings : []));
  return holdings.filter((holding) => !isWanted(holding, assessments) && itemAt(input.memory.inventory, holding) === undefined);
}

function holdingAt(input: PlanInput, store: StoreId, ref: string): Holding | undefined {
  const observation = observationOf(input.observed.stores, store);
  return observation?.state === "observed" ? itemAt(observation.holdings, { store, ref }) : undefined;
}
