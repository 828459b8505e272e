import type { Precondition } from "../action.ts";
import type { Assessment, Defect } from "./assess.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Deprecation, InventoryItem, Memory } from "../inventory.ts";
import type { Holding, Observation } from "../observed.ts";
import { observationOf, ollamaBackendOf } from "../placement.ts";
import { allAt, itemAt } from "../place-index.ts";
import { act, block, join, nothing, recordOnly, subjectOf, type ActionDraft, type PlanInput, type PlanPart } from "./plan-input.ts";
import { chooseFetch, type FetchChoice } from "./plan-fetch.ts";
import { bytesToDownload } from "../sizes.ts";

type Held = Extract<Assessment, { state: "held" }>;

/** What has to happen so that one declared model is as declared. Deprecation of declared models is decided with the leaving ones. */
export function planDeclared(assessment: Assessment, input: PlanInput): PlanPart {
  switch (assessment.state) {
    case "remote":
      return nothing;
    case "unknown":
      return block({
        object: `model/${assessment.model.metadata.name}`,
        cause: "unknown",
        reason: assessment.failure.message,
        failure: assessment.failure,
        ...locationAndRemedy(assessment),
      });
    case "unlockable":
      return block({
        object: `model/${assessment.model.metadata.name}`,
        cause: "config",
        reason: assessment.problem,
        remedy: `holdfast lock ${assessment.model.metadata.name} --update`,
        location: assessment.model.metadata.location,
      });
    case "missing":
    case "unreadable":
      return assessment.model.lifecycle.state === "deprecated" ? nothing : planFetch(assessment, input);
    case "held":
      return planHeld(assessment, input);
  }
}

function locationAndRemedy(assessment: Extract<Assessment, { state: "unknown" }>): {
  location: Held["model"]["metadata"]["location"];
  remedy?: string;
} {
  const { remedy } = assessment.failure;
  return { location: assessment.model.metadata.location, ...(remedy === undefined ? {} : { remedy }) };
}

function planFetch(assessment: Extract<Assessment, { state: "missing" | "unreadable" }>, input: PlanInput): PlanPart {
  const observation = observationOf(input.observed.stores, assessment.store);
  const twin = assessment.lock === undefined ? undefined : twinOf(assessment.lock.source, observation);
  if (twin !== undefined && assessment.ref !== undefined) return act(tagDraft(assessment, twin, assessment.ref, []));
  const choice = chooseFetch(question(assessment, input, observation));
  const why = assessment.state === "unreadable" ? `its manifest cannot be read: ${assessment.failure.message}` : "not on this machine";
  const preconditions: readonly Precondition[] =
    choice.state === "possible" && assessment.state === "missing" && !observedAt(observation, choice.ref)
      ? [{ kind: "absent", store: assessment.store, ref: choice.ref }]
      : [];
  return fetchPart(assessment, choice, { why, cause: assessment.state === "unreadable" ? "corrupt" : "missing", risk: "low", preconditions });
}

function observedAt(observation: Observation | undefined, ref: string): boolean {
  return observation?.state === "observed" && itemAt(observation.holdings, { store: observation.store, ref }) !== undefined;
}

function question(
  assessment: Exclude<Assessment, { state: "remote" | "unknown" | "unlockable" }>,
  input: PlanInput,
  observation: Observation | undefined,
): Parameters<typeof chooseFetch>[0] {
  const upstream = input.upstream[assessment.model.metadata.name];
  const ref = assessment.state === "held" ? assessment.holding.ref : assessment.ref;
  return {
    model: assessment.model,
    store: assessment.store,
    readOnly: ollamaBackendOf(assessment.model, input.desired.backends)?.url === undefined,
    ...(ref === undefined ? {} : { ref }),
    ...(assessment.lock === undefined ? {} : { lock: assessment.lock }),
    ...(upstream === undefined ? {} : { upstream }),
    ...(observation === undefined ? {} : { observation }),
  };
}

/** Another name in the same Ollama store that already has the locked content, whole. */
function twinOf(source: { readonly kind: string; readonly manifestDigest?: string }, observation: Observation | undefined): Holding | undefined {
  if (source.kind !== "ollama" || observation?.state !== "observed") return undefined;
  return observation.holdings.find(
    (holding) => holding.contentId === source.manifestDigest && holding.artifacts.every((artifact) => artifact.found.state === "present"),
  );
}

function tagDraft(assessment: Exclude<Assessment, { state: "remote" }>, twin: Holding, ref: string, after: readonly Precondition[]): ActionDraft {
  return {
    ...subjectOf(assessment, ref),
    verb: "tag",
    cause: "missing",
    reason: `the locked content is already here as ${twin.ref}`,
    risk: "low",
    bytesToDownload: 0,
    sizeUnknown: false,
    bytesToFree: 0,
    work: { verb: "tag", request: { from: twin.ref, to: ref, digest: twin.contentId ?? "" } },
    preconditions: [{ kind: "unchanged", store: twin.store, ref: twin.ref, fingerprint: fingerprint(twin) }, ...after],
    after: [],
  };
}

interface FetchDetails {
  readonly why: string;
  readonly cause: ActionDraft["cause"];
  readonly risk: ActionDraft["risk"];
  readonly preconditions: readonly Precondition[];
}

function fetchPart(assessment: Exclude<Assessment, { state: "remote" }>, choice: FetchChoice, details: FetchDetails): PlanPart {
  if (choice.state === "impossible") return impossiblePart(assessment, choice, details.why);
  return act({
    ...subjectOf(assessment, choice.ref),
    verb: "pull",
    cause: details.cause,
    reason: choice.note === undefined ? details.why : `${details.why}; ${choice.note}`,
    risk: details.risk,
    bytesToDownload: choice.bytes,
    sizeUnknown: choice.sizeUnknown,
    bytesToFree: 0,
    work: { verb: "pull", request: choice.request },
    preconditions: details.preconditions,
    after: [],
  });
}

function impossiblePart(
  assessment: Exclude<Assessment, { state: "remote" }>,
  choice: Extract<FetchChoice, { state: "impossible" }>,
  why: string,
): PlanPart {
  const { state: _, reason, ...rest } = choice;
  return block({
    object: `model/${assessment.model.metadata.name}`,
    ...rest,
    reason: `${why}; ${reason}`,
    location: assessment.model.metadata.location,
  });
}

function planHeld(held: Held, input: PlanInput): PlanPart {
  const owner = ownedBy(held, input.memory);
  const deprecation = deprecationOf(input.memory, held.holding);
  const revived =
    deprecation !== undefined && held.model.lifecycle.state === "active"
      ? act(recordOnly(subjectOf(held, held.holding.ref), { verb: "undeprecate" }, "lifecycle", "declared as active again"))
      : nothing;
  if (held.model.lifecycle.state === "deprecated") return owner === undefined ? act(adoptDraft(held, [])) : nothing;
  if (held.identity === "different") return join([revived, planReplace(held, input, owner)]);
  if (held.defects.length > 0) return join([revived, planRepair(held, input, owner)]);
  return join([revived, owner === undefined ? act(adoptDraft(held, [])) : nothing, planHash(held)]);
}

/** The inventory item that covers this holding for this model. */
export function ownedBy(held: Held, memory: Memory): InventoryItem | undefined {
  return allAt(memory.inventory, held.holding).find((item) => item.name === held.model.metadata.name);
}

function deprecationOf(memory: Memory, holding: Holding): Deprecation | undefined {
  return itemAt(memory.deprecations, holding);
}

function unchanged(holding: Holding): Precondition {
  return { kind: "unchanged", store: holding.store, ref: holding.ref, fingerprint: fingerprint(holding) };
}

function adoptDraft(held: Held, after: readonly string[]): ActionDraft {
  const draft = recordOnly(
    subjectOf(held, held.holding.ref),
    { verb: "import" },
    "ownership",
    "declared and already here: take it into the inventory, no bytes move",
  );
  return { ...draft, after, preconditions: after.length === 0 ? [unchanged(held.holding)] : [] };
}

function planHash(held: Held): PlanPart {
  // Without a location the bytes are on another machine and cannot be read from here; the drift report says so.
  if (held.lock === undefined || held.unverified.length === 0 || held.holding.location === undefined) return nothing;
  const many = held.unverified.length;
  const files = many === 1 ? "1 locked file was not hashed since it last changed" : `${many} locked files were not hashed since they last changed`;
  const expected = Object.fromEntries(held.lock.artifacts.map((artifact) => [artifact.path, artifact.sha256]));
  return act({
    ...subjectOf(held, held.holding.ref),
    verb: "hash",
    cause: "unverified",
    reason: files,
    risk: "none",
    bytesToDownload: 0,
    sizeUnknown: false,
    bytesToFree: 0,
    work: { verb: "hash", expected },
    preconditions: [],
    after: [],
  });
}

function planReplace(held: Held, input: PlanInput, owner: InventoryItem | undefined): PlanPart {
  const { name } = held.model.metadata;
  const locked = held.lock?.source.kind === "ollama" ? held.lock.source.manifestDigest : "";
  const why = `content is ${(held.holding.contentId ?? "unknown").slice(0, 12)}, the lock says ${locked.slice(0, 12)}`;
  const putThere = owner?.contentId !== undefined && owner.contentId === held.holding.contentId;
  if (!putThere && !input.options.replace.includes(name)) {
    return block({
      object: `model/${name}`,
      cause: "digest",
      reason: `${why}, and Holdfast did not put it there`,
      remedy: `holdfast reconcile --replace ${name} replaces it; holdfast lock ${name} --force accepts it`,
      location: held.model.metadata.location,
    });
  }
  const observation = observationOf(input.observed.stores, held.store);
  const twin = held.lock === undefined ? undefined : twinOf(held.lock.source, observation);
  if (twin !== undefined)
    return act({
      ...tagDraft(held, twin, held.holding.ref, [unchanged(held.holding)]),
      cause: "digest",
      risk: "high",
      reason: `${why}; the locked content is here as ${twin.ref}`,
    });
  return fetchPart(held, chooseFetch(question(held, input, observation)), {
    why,
    cause: "digest",
    risk: "high",
    preconditions: [unchanged(held.holding)],
  });
}

function planRepair(held: Held, input: PlanInput, owner: InventoryItem | undefined): PlanPart {
  const observation = observationOf(input.observed.stores, held.store);
  const bad = held.defects.map((defect) => defect.path);
  const why = describeDefects(held.defects);
  const unreadable = held.defects.find((defect) => defect.kind === "unreadable");
  if (unreadable !== undefined) {
    const failure = unreadable.failure ?? { code: "permission", retry: "terminal", message: `${unreadable.path} cannot be read` };
    return block({
      object: `model/${held.model.metadata.name}`,
      cause: "unknown",
      reason: failure.message,
      failure,
      location: held.model.metadata.location,
    });
  }
  const choice = chooseFetch({ ...question(held, input, observation), holding: held.holding });
  if (choice.state === "impossible") return impossiblePart(held, choice, why);
  const badFiles = held.holding.artifacts.filter((artifact) => bad.includes(artifact.path));
  const known = badFiles.length === bad.length ? bytesOf(badFiles) : choice.bytes;
  const repair: ActionDraft = {
    ...subjectOf(held, held.holding.ref),
    verb: "repair",
    cause: held.defects.some((defect) => defect.kind === "corrupt") ? "corrupt" : "incomplete",
    reason: choice.note === undefined ? why : `${why}; ${choice.note}`,
    risk: "high",
    bytesToDownload: known,
    sizeUnknown: choice.sizeUnknown,
    bytesToFree: 0,
    work: { verb: "repair", request: { ...choice.request, bad } },
    preconditions: [unchanged(held.holding)],
    after: [],
  };
  return act(repair, ...(owner === undefined ? [adoptDraft(held, [`${repair.object} repair`])] : []));
}

function bytesOf(artifacts: Holding["artifacts"]): number {
  return bytesToDownload(artifacts, undefined);
}

/** One clause for people: what is wrong with a model's files. */
export function describeDefects(defects: readonly Defect[]): string {
  const [first] = defects;
  if (first === undefined) return "";
  const more = defects.length > 1 ? ` and ${defects.length - 1} more` : "";
  const words: Readonly<Record<Defect["kind"], string>> = {
    missing: "is missing",
    incomplete: `has ${first.actual ?? "another size"} instead of ${first.expected ?? "the declared size"}`,
    corrupt: `has wrong bytes (expected ${(first.expected ?? "").slice(0, 12)}, got ${(first.actual ?? "").slice(0, 12)})`,
    unreadable: "cannot be read",
    unexpected: "is not in the lock",
  };
  return `${first.path.startsWith("sha256:") ? first.path.slice(0, 19) : first.path} ${words[first.kind]}${more}`;
}
