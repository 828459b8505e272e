import type { Blocked } from "../action.ts";
import type { Assessment } from "./assess.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Deprecation } from "../inventory.ts";
import { releaseOf } from "./kept-loaded.ts";
import { leavingThings, type Leaving } from "./leaving.ts";
import { lockEntryOf } from "../lock.ts";
import type { Holding, StoreId } from "../observed.ts";
import { observationOf, sameRef } from "../placement.ts";
import { itemAt } from "../place-index.ts";
import { act, block, join, nothing, recordOnly, type ActionDraft, type PlanInput, type PlanPart } from "./plan-input.ts";
import { sourcesInUse } from "./plan-serving.ts";
import type { Milliseconds } from "../resource.ts";

/** What happens to things that nobody wants any more: deprecate, purge after the grace period, or forget. */
export function planLeaving(assessments: readonly Assessment[], input: PlanInput): PlanPart {
  if (input.options.prune.mode === "off") return nothing;
  return join(leavingThings(assessments, input).map((thing) => planOne(thing, assessments, input)));
}

function planOne(thing: Leaving, assessments: readonly Assessment[], input: PlanInput): PlanPart {
  const observation = observationOf(input.observed.stores, thing.store);
  if (observation?.state !== "observed") return nothing;
  if (thing.holding === undefined) return observation.complete ? act(forgetDraft(thing, "no longer declared and no longer here")) : nothing;
  if (thing.because === "not-in-manifests" && isReplaced(thing))
    return act(forgetDraft(thing, "no longer declared, and its content is not what Holdfast put there"));
  if (isForeign(thing) && thing.because === "not-in-manifests")
    return act(forgetDraft(thing, "no longer declared; its folder belongs to somebody else"));
  if (input.options.prune.mode === "forget" && thing.because === "not-in-manifests")
    return act(forgetDraft(thing, "no longer declared; its bytes stay"));
  const deprecation = itemAt(input.memory.deprecations, thing);
  if (deprecation === undefined && isSuperseded(thing, input)) {
    // The model itself is as declared: its old revision only waits for its grace period, which is nothing to do now.
    return {
      ...nothing,
      bookkeeping: [
        {
          kind: "deprecate",
          deprecation: { name: thing.name, store: thing.store, ref: thing.ref, since: input.now, reason: thing.because, confirmations: 1 },
        },
      ],
    };
  }
  if (deprecation === undefined) {
    const locked = isLocked(thing, input) ? `; it stays while it is locked (holdfast unlock ${thing.name})` : "";
    return act(recordOnly(subject(thing), { verb: "deprecate", because: thing.because }, "lifecycle", `${whyDeprecated(thing)}${locked}`));
  }
  return planDeprecated({ ...thing, holding: thing.holding }, { deprecation, complete: observation.complete }, assessments, input);
}

function planDeprecated(
  thing: Leaving & { readonly holding: Holding },
  { deprecation, complete }: { readonly deprecation: Deprecation; readonly complete: boolean },
  assessments: readonly Assessment[],
  input: PlanInput,
): PlanPart {
  const { holding } = thing;
  const confirmations = deprecation.confirmations + (complete ? 1 : 0);
  const counted: PlanPart =
    confirmations === deprecation.confirmations || deprecation.confirmations >= 2
      ? nothing
      : { ...nothing, bookkeeping: [{ kind: "deprecate", deprecation: { ...deprecation, confirmations } }] };
  const mayPurge = input.options.prune.mode === "purge" && (thing.because !== "unmanaged" || input.options.unmanaged === "purge");
  if (!mayPurge || isProtected(thing) || confirmations < 2) return counted;
  const age = Date.parse(input.now) - Date.parse(deprecation.since);
  if (age < graceOf(thing, input.options.prune.grace)) return counted;
  const release = isReplaced(thing) ? undefined : releaseOf(thing.item, holding, assessments, input);
  const veto = purgeVeto(thing, release === undefined ? holding : withoutLoaded(holding), input);
  if (veto !== undefined) return join([counted, block(veto)]);
  return join([counted, act(purgeDraft(thing, holding, age, input))]);
}

/** The same plan takes out of memory first what is there only because of Holdfast. */
function withoutLoaded(holding: Holding): Holding {
  const { loaded: _released, ...rest } = holding;
  return rest;
}

/** The grace period of a thing: as its manifest said last, else the setting. */
function graceOf(thing: Leaving, fallback: Milliseconds): Milliseconds {
  return thing.assessment?.model.lifecycle.purgeAfter ?? thing.item?.purgeAfter ?? fallback;
}

/** The old place of a model that is declared and held somewhere else by now. */
function isSuperseded(thing: Leaving, { desired }: PlanInput): boolean {
  return thing.because === "not-in-manifests" && desired.models.some((model) => model.metadata.name === thing.name);
}

/** Somebody put other content under a name that used to be ours: it is theirs. */
function isReplaced({ item, holding }: Leaving): boolean {
  return item?.contentId !== undefined && holding?.contentId !== undefined && item.contentId !== holding.contentId;
}

/** A plain folder that somebody else fills is never ours to delete. */
function isForeign(thing: Leaving): boolean {
  return thing.store === "directory" && thing.item?.revision === undefined && thing.assessment?.model.source.kind !== "huggingface";
}

function isProtected(thing: Leaving): boolean {
  return isForeign(thing) || thing.assessment?.model.protect === true || thing.item?.protect === true;
}

/** Why something that is due must not be purged: a role wants it, it is locked, in use, not ours, or could not be brought back. */
function purgeVeto(thing: Leaving, holding: Holding, input: PlanInput): Blocked | undefined {
  const why = wantedStill(thing, input) ?? inUse(holding, input) ?? notOurs(thing) ?? lostForEver(thing, holding, input);
  return why === undefined ? undefined : { object: subject(thing).object, cause: "guard", ...why };
}

type Veto = Pick<Blocked, "reason" | "remedy">;

function wantedStill(thing: Leaving, input: PlanInput): Veto | undefined {
  const { name } = thing;
  const role = input.desired.roles.find((candidate) => candidate.prefer.includes(name) || candidate.fallback === name)?.metadata.name;
  if (role !== undefined) return { reason: `role ${role} points at it`, remedy: `take ${name} out of role ${role} first` };
  return isLocked(thing, input) ? { reason: "it is locked", remedy: `holdfast unlock ${name}` } : undefined;
}

function inUse(holding: Holding, { activations = [] }: PlanInput): Veto | undefined {
  const server = sourcesInUse(activations).find(
    (source) => source.store === holding.store && sameRef(source.store, source.ref, holding.ref),
  )?.backend;
  if (server !== undefined)
    return { reason: `${server} serves from it, or would be put back to it`, remedy: `let Backend ${server} serve another model, or none, first` };
  return holding.loaded === undefined
    ? undefined
    : { reason: "a server has it in memory", remedy: "stop using it, or unload it, then reconcile again" };
}

function notOurs(thing: Leaving): Veto | undefined {
  const { name, item, because } = thing;
  if (item === undefined && because !== "unmanaged") return { reason: "Holdfast does not own it", remedy: `holdfast adopt ${name}` };
  if (!isReplaced(thing)) return undefined;
  return { reason: "its content is not what Holdfast put there", remedy: `delete it by hand, or take ${name} out of the manifests to forget it` };
}

function lostForEver(thing: Leaving, holding: Holding, input: PlanInput): Veto | undefined {
  if (holding.location !== undefined || !needsQuarantine(thing, input)) return undefined;
  return {
    reason: "its bytes cannot be fetched again, and its store cannot be read from here to keep a copy",
    remedy: "set `spec.store` of the backend, or delete the model by hand",
  };
}

function isLocked(thing: Leaving, input: PlanInput): boolean {
  const entry = lockEntryOf(input.lock, thing.name);
  if (entry === undefined) return false;
  const { source } = entry;
  if (source.kind === "ollama") return source.manifestDigest === thing.contentId;
  if (source.kind === "huggingface") return source.commit === thing.contentId;
  return true;
}

/** True unless the registry or hub was seen to offer the very same content. */
function needsQuarantine(thing: Leaving, input: PlanInput): boolean {
  const upstream = input.upstream[leavingKey(thing)];
  if (upstream?.state !== "resolved") return true;
  return (upstream.kind === "ollama" ? upstream.digest : upstream.commit) !== thing.contentId;
}

/** The key under which upstream facts about something that is leaving are kept; its name may belong to a declared model by now. */
export function leavingKey(thing: { readonly store: StoreId; readonly ref: string }): string {
  return `${thing.store}|${thing.ref}`;
}

function subject(thing: Leaving): Pick<ActionDraft, "object" | "name" | "store" | "ref" | "location"> {
  const object =
    thing.item === undefined && thing.assessment === undefined ? (`holding/${thing.store}/${thing.ref}` as const) : (`model/${thing.name}` as const);
  const location = thing.assessment?.model.metadata.location;
  return { object, name: thing.name, store: thing.store, ref: thing.ref, ...(location === undefined ? {} : { location }) };
}

function whyDeprecated(thing: Leaving): string {
  if (thing.because === "unmanaged") return "nobody declares it, and the settings deprecate unmanaged models";
  if (thing.because === "not-in-manifests") return `${thing.ref} is not in the manifests any more`;
  const { reason, replacedBy } = thing.assessment?.model.lifecycle ?? {};
  const why = reason ?? "its manifest says deprecated";
  return replacedBy === undefined ? why : `${why}; replaced by ${replacedBy}`;
}

function forgetDraft(thing: Leaving, reason: string): ActionDraft {
  return recordOnly(subject(thing), { verb: "forget" }, "lifecycle", reason);
}

function purgeDraft(thing: Leaving, holding: Holding, age: Milliseconds, input: PlanInput): ActionDraft {
  const quarantine = needsQuarantine(thing, input);
  const replacedBy = thing.assessment?.model.lifecycle.replacedBy;
  return {
    ...subject(thing),
    verb: "purge",
    cause: "lifecycle",
    reason: `${isSuperseded(thing, input) ? "replaced by what its manifest names now" : "deprecated"} ${daysAgo(age)}, grace is over${quarantine ? "; not re-fetchable, the bytes go to quarantine" : ""}`,
    risk: "destructive",
    bytesToDownload: 0,
    sizeUnknown: false,
    bytesToFree: 0,
    work: { verb: "purge", request: { ref: holding.ref, ...(holding.contentId === undefined ? {} : { contentId: holding.contentId }), quarantine } },
    preconditions: [
      { kind: "unchanged", store: holding.store, ref: holding.ref, fingerprint: fingerprint(holding) },
      { kind: "not-loaded", store: holding.store, ref: holding.ref },
    ],
    after: [`model/${thing.name} unload`, ...(replacedBy === undefined ? [] : [`model/${replacedBy} pull`])],
  };
}

function daysAgo(age: Milliseconds): string {
  const days = Math.floor(age / 86_400_000);
  return days === 1 ? "1 day ago" : `${days} days ago`;
}
