import type { Assessment } from "./assess.ts";
import type { Sha256 } from "../digest.ts";
import type { LockEntry } from "../lock.ts";
import type { ModelSource } from "../model.ts";
import type { Holding, Observation, StoreId } from "../observed.ts";
import { observationOf } from "../placement.ts";
import { ownedBy } from "./plan-declared.ts";
import type { PlanInput } from "./plan-input.ts";
import { leavingKey } from "./plan-leaving.ts";

/** A question to a registry or hub, with the key under which the planner looks for the answer. */
export interface UpstreamQuestion {
  readonly key: string;
  readonly source: Extract<ModelSource, { kind: "ollama" | "huggingface" }>;
  readonly commit?: string;
  readonly blobs?: readonly Sha256[];
}

/** What must be asked upstream before a plan can be made: only for models whose bytes have to move, and for what is about to be purged. */
export function upstreamQuestions(assessments: readonly Assessment[], input: Omit<PlanInput, "upstream">): readonly UpstreamQuestion[] {
  const declared = assessments.flatMap((assessment): readonly UpstreamQuestion[] => {
    const question = questionFor(assessment, input);
    return question === undefined ? [] : [question];
  });
  return [...declared, ...purgeQuestions(input)];
}

function questionFor(assessment: Assessment, input: Omit<PlanInput, "upstream">): UpstreamQuestion | undefined {
  if (assessment.state === "remote" || assessment.state === "unlockable") return undefined;
  if (assessment.state === "unknown") return questionForUnnamed(assessment, input);
  const { model, lock } = assessment;
  const { source } = model;
  if (source.kind !== "ollama" && source.kind !== "huggingface") return undefined;
  if (model.lifecycle.state === "deprecated") return undefined;
  const holding = assessment.state === "held" ? assessment.holding : undefined;
  if (assessment.state === "held" && !needsUpstream(assessment, input)) return undefined;
  const observation = observationOf(input.observed.stores, assessment.store);
  return { key: model.metadata.name, source, ...pins(source.kind, lock, holding, observation) };
}

/** A folder without records can only be judged by what the hub offers. */
function questionForUnnamed(
  { model, store, failure }: Extract<Assessment, { state: "unknown" }>,
  input: Omit<PlanInput, "upstream">,
): UpstreamQuestion | undefined {
  const { source } = model;
  const observed = observationOf(input.observed.stores, store)?.state === "observed";
  const unnamed = source.kind === "huggingface" && source.layout === "dir" && observed && failure.code === "unsupported";
  return unnamed ? { key: model.metadata.name, source } : undefined;
}

function needsUpstream(held: Extract<Assessment, { state: "held" }>, input: Omit<PlanInput, "upstream">): boolean {
  if (held.identity === "different" || held.defects.length > 0) return true;
  return held.lock === undefined && held.model.source.kind === "huggingface" && ownedBy(held, input.memory) === undefined;
}

function pins(
  kind: "ollama" | "huggingface",
  lock: LockEntry | undefined,
  holding: Holding | undefined,
  observation: Observation | undefined,
): Pick<UpstreamQuestion, "commit" | "blobs"> {
  if (kind === "huggingface") {
    const commit = lock?.source.kind === "huggingface" ? lock.source.commit : holding?.contentId;
    return commit === undefined ? {} : { commit };
  }
  const wanted = (lock?.artifacts ?? holding?.artifacts ?? []).map((artifact) => artifact.path);
  const here = goodBlobs(observation);
  const blobs = wanted.filter((path) => !here.has(path)).map((path) => path.replace(/^sha256:/, ""));
  return blobs.length === 0 ? {} : { blobs };
}

function goodBlobs(observation: Observation | undefined): ReadonlySet<string> {
  if (observation?.state !== "observed") return new Set();
  const good = observation.holdings
    .flatMap((holding) => holding.artifacts)
    .filter(({ found, declaredSha256 }) => found.state === "present" && (found.level === "presence" || found.sha256 === declaredSha256));
  return new Set(good.map((artifact) => artifact.blob));
}

/** For deprecated things: can the very same bytes be had again? Decides between deleting and quarantine. */
function purgeQuestions(input: Omit<PlanInput, "upstream">): readonly UpstreamQuestion[] {
  if (input.options.prune.mode !== "purge") return [];
  return input.memory.deprecations.flatMap((deprecation): readonly UpstreamQuestion[] => {
    const observation = observationOf(input.observed.stores, deprecation.store);
    const holding = observation?.state === "observed" ? observation.holdings.find((candidate) => candidate.ref === deprecation.ref) : undefined;
    const question = holding === undefined ? undefined : questionForRef(deprecation.store, holding);
    return question === undefined ? [] : [{ key: leavingKey(deprecation), ...question }];
  });
}

function questionForRef(store: StoreId, holding: Holding): Omit<UpstreamQuestion, "key"> | undefined {
  if (store.startsWith("ollama:")) return { source: { kind: "ollama", model: holding.ref } };
  const [repo, commit] = holding.ref.split("@");
  if (store !== "huggingface" || repo === undefined || commit === undefined) return undefined;
  return { source: { kind: "huggingface", repo, revision: commit, include: [], exclude: [], layout: "cache" }, commit };
}
