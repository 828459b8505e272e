import type { Bookkeeping } from "../action.ts";
import type { Assessment } from "./assess.ts";
import { compareText } from "../diagnostic.ts";
import { sha256 } from "../digest.ts";
import { observationOf } from "../placement.ts";
import { itemAt, type Place } from "../place-index.ts";
import type { PlanInput } from "./plan-input.ts";
import { unmanagedHoldings } from "./leaving.ts";
import type { StoreId } from "../observed.ts";

/** Two equal observations this far apart (ms) are needed before a store that lost much at once is believed. */
const secondLook = 30_000;

/** A store that lost suspiciously much at once. Source: reference/ux-security-reliability.md D.4, F12. */
export interface Loss {
  readonly store: StoreId;
  readonly lost: number;
  readonly owned: number;
  /** Same loss, seen long enough ago. */
  readonly confirmed: boolean;
}

/** Stores in which more models than the brake allows vanished since the last pass. */
export function suspiciousLosses(input: PlanInput): readonly Loss[] {
  const stores = [...new Set(input.memory.inventory.map((item) => item.store))].toSorted(compareText);
  return stores.flatMap((store): readonly Loss[] => {
    const missing = missingRefs(store, input);
    const owned = input.memory.inventory.filter((item) => item.store === store).length;
    const { maxDeletions, maxDeletionPercent } = input.options.prune;
    const tooMuch = missing.length > maxDeletions || (missing.length > 1 && missing.length * 100 > owned * maxDeletionPercent);
    if (!tooMuch) return [];
    const earlier = input.memory.suspicions.find((suspicion) => suspicion.store === store && suspicion.fingerprint === lossFingerprint(missing));
    const confirmed = input.options.acceptLoss || (earlier !== undefined && Date.parse(input.now) - Date.parse(earlier.firstSeen) >= secondLook);
    return [{ store, lost: missing.length, owned, confirmed }];
  });
}

function missingRefs(store: StoreId, input: PlanInput): readonly string[] {
  const observation = observationOf(input.observed.stores, store);
  if (observation?.state !== "observed") return [];
  const refs = input.memory.inventory.filter((item) => item.store === store).map((item) => item.ref);
  return refs.filter(
    (ref) => itemAt(observation.holdings, { store, ref }) === undefined && itemAt(observation.unreadable, { store, ref }) === undefined,
  );
}

function lossFingerprint(refs: readonly string[]): string {
  return sha256(refs.toSorted(compareText).join("\n"));
}

/** Remembers losses that were seen for the first time and drops those that are over. */
export function suspicionBookkeeping(losses: readonly Loss[], input: PlanInput): readonly Bookkeeping[] {
  const over = input.memory.suspicions
    .filter((suspicion) => !losses.some((loss) => loss.store === suspicion.store))
    .map((suspicion): Bookkeeping => ({ kind: "unsuspect", store: suspicion.store }));
  const fresh = losses.flatMap((loss): readonly Bookkeeping[] => {
    const fingerprint = lossFingerprint(missingRefs(loss.store, input));
    const known = input.memory.suspicions.some((suspicion) => suspicion.store === loss.store && suspicion.fingerprint === fingerprint);
    return known ? [] : [{ kind: "suspect", suspicion: { store: loss.store, fingerprint, firstSeen: input.now } }];
  });
  return [...over, ...fresh];
}

/** Gives names to holdings nobody declared, and drops names of holdings that are gone or declared by now. */
export function discoveryBookkeeping(assessments: readonly Assessment[], input: PlanInput): readonly Bookkeeping[] {
  if (input.options.unmanaged === "ignore") return [];
  const unmanaged = unmanagedHoldings(assessments, input);
  const taken = new Set([...input.desired.models.map((model) => model.metadata.name), ...input.memory.discovered.map((model) => model.name)]);
  const found: Bookkeeping[] = [];
  for (const holding of unmanaged.toSorted((a, b) => compareText(a.store, b.store) || compareText(a.ref, b.ref))) {
    if (itemAt(input.memory.discovered, holding) !== undefined) continue;
    const name = input.nameFor(holding, taken);
    taken.add(name);
    found.push({ kind: "discover", model: { store: holding.store, ref: holding.ref, name, firstSeen: input.now } });
  }
  return [...found, ...vanished(unmanaged, input)];
}

function vanished(unmanaged: readonly Place[], input: PlanInput): readonly Bookkeeping[] {
  return input.memory.discovered.flatMap((model): readonly Bookkeeping[] => {
    const observation = observationOf(input.observed.stores, model.store);
    if (observation?.state !== "observed" || !observation.complete) return [];
    const stillThere = itemAt(unmanaged, model) !== undefined;
    return stillThere ? [] : [{ kind: "undiscover", store: model.store, ref: model.ref }];
  });
}
