import type { Assessment } from "./assess.ts";
import { fingerprint } from "../fingerprint.ts";
import type { InventoryItem } from "../inventory.ts";
import { isStaleRunner, releaseOf, runnerOf, staysForEver, wishFor } from "./kept-loaded.ts";
import type { KeepLoaded } from "../model.ts";
import type { Holding, LoadedModel, Observation } from "../observed.ts";
import { observationOf, sameRef } from "../placement.ts";
import { itemAt } from "../place-index.ts";
import { ownedBy } from "./plan-declared.ts";
import { act, block, join, nothing, subjectOf, type ActionDraft, type PlanInput, type PlanPart } from "./plan-input.ts";

type Held = Extract<Assessment, { state: "held" }>;
type Seen = Extract<Observation, { state: "observed" }>;

/**
 * What has to get into the memory of Ollama servers, and out of it. A server that did not say what it has in memory is left alone. `declared` is what the
 * same plan does to the bytes: a model is loaded after that.
 */
export function planRuntime(assessments: readonly Assessment[], declared: PlanPart, input: PlanInput): PlanPart {
  return join([
    ...assessments.map((assessment) => planLoad(assessment, { assessments, declared, input })),
    ...input.memory.inventory.map((item) => planRelease(item, { assessments, declared, input })),
  ]);
}

interface Situation {
  readonly assessments: readonly Assessment[];
  readonly declared: PlanPart;
  readonly input: PlanInput;
}

function planLoad(assessment: Assessment, situation: Situation): PlanPart {
  const { model } = assessment;
  if (model.lifecycle.state !== "active") return nothing;
  if (assessment.state === "held") return planHeld(assessment, situation);
  const coming = changeOf(assessment, situation);
  if (assessment.state !== "missing" && assessment.state !== "unreadable") return nothing;
  if (coming === undefined || model.keepLoaded === undefined || seenRuntime(assessment.store, situation.input) === undefined) return nothing;
  return act(loadDraft(assessment, coming.ref, { keep: model.keepLoaded, reason: `as soon as it is here: ${askedFor}` }));
}

const askedFor = "its manifest asks to keep it in memory";

function planHeld(held: Held, situation: Situation): PlanPart {
  const { holding, model, store } = held;
  const observation = seenRuntime(store, situation.input);
  if (observation === undefined) return nothing;
  const coming = changeOf(held, situation);
  // Wrong bytes that nobody replaces are neither loaded nor is a server robbed of what it runs instead.
  if (coming === undefined && (held.identity === "different" || held.defects.length > 0)) return nothing;
  if (holding.facts.remoteHost !== undefined) return model.keepLoaded === undefined ? nothing : block(stubBlocked(held, holding.facts.remoteHost));
  const stale = adopted(held, situation) && isStaleRunner(holding);
  return join([
    stale ? act(unloadDraft(subjectOf(held, holding.ref), holding.loaded, "stale-runner")) : nothing,
    model.keepLoaded === undefined
      ? nothing
      : keepInMemory(held, wishFor(holding, situation.assessments) ?? model.keepLoaded, observation, situation),
  ]);
}

function keepInMemory(held: Held, keep: KeepLoaded, observation: Seen, situation: Situation): PlanPart {
  const { holding } = held;
  if (changeOf(held, situation) !== undefined) return act(loadDraft(held, holding.ref, { keep, reason: askedFor }));
  const reason = reasonToLoad(held, keep, observation, situation.input);
  return reason === undefined ? nothing : act(loadDraft(held, holding.ref, { keep, reason, unchanged: holding }));
}

/** The look of a store whose server said what it has in memory. */
function seenRuntime(store: Held["store"], { observed }: PlanInput): Seen | undefined {
  const observation = observationOf(observed.stores, store);
  return observation?.state === "observed" && observation.runtimeSeen === true ? observation : undefined;
}

/** What the same plan does to the bytes of a model. */
function changeOf({ model }: Assessment, { declared }: Situation): ActionDraft | undefined {
  const changes: readonly string[] = ["pull", "repair", "tag"];
  return declared.actions.find((draft) => draft.object === `model/${model.metadata.name}` && changes.includes(draft.verb));
}

/** True when the same plan takes the model into the inventory; what is in it already is looked at item by item. */
function adopted(held: Held, { input }: Situation): boolean {
  return ownedBy(held, input.memory) === undefined;
}

function stubBlocked(held: Held, host: string): Parameters<typeof block>[0] {
  return {
    object: `model/${held.model.metadata.name}`,
    cause: "config",
    reason: `it cannot be kept in memory: it is a cloud model that runs on ${host}`,
    remedy: "remove keepLoaded from its manifest",
    location: held.model.metadata.location,
  };
}

function reasonToLoad(held: Held, wish: KeepLoaded, observation: Seen, { memory, now }: PlanInput): string | undefined {
  if (isStaleRunner(held.holding)) return askedFor;
  const runner = runnerOf(held.holding, observation);
  if (runner === undefined) return `${askedFor}, and it is not there`;
  if (staysForEver(runner, now) !== (wish === "forever"))
    return wish === "forever" ? "it would leave memory some time after its last use" : "it would stay in memory for ever";
  return ownedBy(held, memory)?.keepLoaded === wish ? undefined : "its manifest says another time than it was loaded with";
}

type Fetchable = Exclude<Assessment, { state: "remote" }>;

interface Loading {
  readonly keep: KeepLoaded;
  readonly reason: string;
  /** What has to be as it was seen; undefined when the same plan changes it first. */
  readonly unchanged?: Holding;
}

function loadDraft(assessment: Fetchable, ref: string, { keep, reason, unchanged }: Loading): ActionDraft {
  const subject = subjectOf(assessment, ref);
  const { object, store } = subject;
  return {
    ...subject,
    ...weightless,
    verb: "load",
    cause: "config",
    reason,
    work: { verb: "load", request: { ref, keep } },
    preconditions: unchanged === undefined ? [] : [{ kind: "unchanged", store, ref, fingerprint: fingerprint(unchanged) }],
    after: ["import", "pull", "repair", "tag"].map((verb) => `${object} ${verb}`),
  };
}

const weightless = { risk: "low", bytesToDownload: 0, sizeUnknown: false, bytesToFree: 0 } as const;

const none: readonly Holding[] = [];

/** An owned model that runs with an earlier content, or that was loaded for a manifest that does not ask for it any more. */
function planRelease(item: InventoryItem, situation: Situation): PlanPart {
  const { assessments, input } = situation;
  const { name, store, ref } = item;
  const holding = itemAt(seenRuntime(store, input)?.holdings ?? none, item);
  const held = assessments.find((candidate): candidate is Held => candidate.state === "held" && isOf(item, candidate));
  if (holding === undefined || isForeign(item, holding, held)) return nothing;
  const release = releaseOf(item, holding, assessments, input);
  if (release === undefined)
    return item.keepLoaded === undefined || wishFor(holding, assessments) !== undefined
      ? nothing
      : { ...nothing, bookkeeping: [{ kind: "kept", name, store, ref }] };
  if (release.because === "stale-runner" && isBroken(held, situation)) return nothing;
  const subject = held === undefined ? ({ object: `model/${name}`, name, store, ref } as const) : subjectOf(held, ref);
  return act(unloadDraft(subject, release.runner, release.because));
}

/** The bytes of now could not replace what runs. */
function isBroken(held: Held | undefined, situation: Situation): boolean {
  return held !== undefined && held.model.lifecycle.state === "active" && held.defects.length > 0 && changeOf(held, situation) === undefined;
}

/** Somebody put other content under the name of what is ours. */
function isForeign(item: InventoryItem, holding: Holding, held: Held | undefined): boolean {
  const isOther = item.contentId !== undefined && holding.contentId !== undefined && item.contentId !== holding.contentId;
  return isOther && (held === undefined || held.identity === "different");
}

function isOf(item: InventoryItem, { model, store, holding }: Held): boolean {
  return model.metadata.name === item.name && store === item.store && sameRef(store, holding.ref, item.ref);
}

function unloadDraft(
  subject: Pick<ActionDraft, "object" | "name" | "store" | "ref" | "location" | "declared">,
  runner: LoadedModel | undefined,
  because: "stale-runner" | "not-asked-for",
): ActionDraft {
  const digest = runner?.digest;
  return {
    ...subject,
    ...weightless,
    verb: "unload",
    cause: because === "stale-runner" ? because : "config",
    reason:
      because === "stale-runner"
        ? "the server still runs an older content of it"
        : "it was loaded for its manifest, which does not ask for it any more",
    work: { verb: "unload", request: { ref: subject.ref, ...(digest === undefined ? {} : { digest }) } },
    preconditions: [],
    after: [],
  };
}
