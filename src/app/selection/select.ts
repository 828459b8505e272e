import type { Assessment } from "../../domain/plan/assess.ts";
import type { Backend } from "../../domain/backend.ts";
import { toFailure } from "../../domain/failure.ts";
import type { Observation, ObservedState } from "../../domain/observed.ts";
import { findCandidate, liveKey, type BackendSight, type Candidate } from "../../domain/selection/candidate.ts";
import type { ChosenProfile } from "../../domain/selection/profile.ts";
import { assessAll } from "../../domain/plan/plan.ts";
import { select, type Refused, type Selection } from "../../domain/selection/selection.ts";
import type { SelectionRequest, SelectionWorld } from "../../domain/selection/hurdles.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import type { ModelReader } from "../../ports/model-store.ts";
import type { ServingReader } from "../../ports/serving-backend.ts";
import { describeAbsence } from "../../registry/absence.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { checkBackends, sightsOf } from "./backends.ts";
import type { Host } from "../host.ts";
import { projectFiles } from "../publish.ts";
import type { Project } from "../read-project.ts";
import { candidatesOf } from "./candidates.ts";

/** Everything that can be selected, and the entries behind it. */
export interface SelectionView extends SelectionWorld {
  readonly entries: readonly RegistryEntry[];
  readonly observed: ObservedState;
}

/** How to look before selecting. */
export interface SelectionLook {
  /** Readers of every backend that has an address; undefined = nobody is asked whether it answers. */
  readonly checkers?: readonly ServingReader[];
  readonly timeout: Milliseconds;
  readonly profile?: ChosenProfile;
}

/** Looks at stores and backends, all at once and no longer than the timeout, and says what can be selected. Writes nothing. */
export async function readSelection(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  look: SelectionLook,
  signal: AbortSignal,
): Promise<SelectionView> {
  const memory = await host.state.load();
  const desired = host.withDefaults(project.desired, memory);
  const { readers } = await host.connect(desired, "server", { memory, lock: project.lock });
  const late = AbortSignal.any([signal, AbortSignal.timeout(look.timeout)]);
  const [stores, checks] = await Promise.all([
    Promise.all(readers.map((reader) => observeInTime(reader, late))),
    look.checkers === undefined
      ? []
      : checkBackends(
          desired.backends.filter((backend) => backend.type !== "ollama"),
          look.checkers,
          look.timeout,
          signal,
        ),
  ]);
  signal.throwIfAborted();
  const observed: ObservedState = { at: host.clock.now(), level: "presence", stores, serving: [] };
  const files = await projectFiles(host, { project: { ...project, desired }, observed, memory });
  const { entries } = decodeRegistry(files.merged, "the merged registry", "merged");
  const names = entries.map((entry) => entry.name);
  const againstLock = new Set(assessAll({ desired, lock: project.lock, observed, memory, upstream: {} }).flatMap(lockBreach));
  return {
    entries,
    observed,
    candidates: candidatesOf(entries, { desired, lastUsed: await host.state.remembered("used", names), againstLock }),
    roles: desired.roles,
    ...(look.profile === undefined ? {} : { profile: look.profile }),
    ...(look.checkers === undefined ? {} : { backends: new Map([...sightsOf(checks), ...ollamaSights(desired.backends, stores)]) }),
  };
}

/** What can be seen without reading a byte: another manifest or commit, missing files, wrong sizes. */
function lockBreach(assessment: Assessment): readonly string[] {
  if (assessment.state !== "held" || assessment.lock === undefined) return [];
  const broken = assessment.identity === "different" || assessment.defects.some((defect) => defect.kind !== "unreadable");
  return broken ? [assessment.model.metadata.name] : [];
}

/** A server that listed its models is there; nobody has to ask it twice. */
function ollamaSights(backends: readonly Backend[], stores: readonly Observation[]): readonly (readonly [string, BackendSight])[] {
  return backends.flatMap((backend): readonly (readonly [string, BackendSight])[] => {
    const { type, url, metadata } = backend;
    const store = stores.find((observation) => observation.store === `ollama:${metadata.name}`);
    if (type !== "ollama" || url === undefined || store === undefined) return [];
    const base = { name: metadata.name, type, url };
    if (store.state === "unknown") return [[metadata.name, { ...base, state: "down", reason: store.failure.message }]];
    return [[metadata.name, { ...base, state: "up", ids: new Set(store.holdings.map(({ ref }) => liveKey(type, ref))) }]];
  });
}

async function observeInTime(reader: ModelReader, signal: AbortSignal): Promise<Observation> {
  try {
    return await reader.observe({ level: "presence" }, signal);
  } catch (error) {
    return { state: "unknown", store: reader.store, failure: toFailure(error) };
  }
}

/** Selects, and explains a name that leads nowhere with what may have been meant. */
export function selectFrom(view: SelectionView, request: SelectionRequest): Selection {
  const selection = select(request, view);
  return selection.state === "refused" && selection.kind === "absent" && selection.role === undefined ? explained(selection, view) : selection;
}

function explained(refused: Refused, { entries, candidates }: SelectionView): Refused {
  const absence = findCandidate(candidates, refused.asked).state === "absent" ? describeAbsence(entries, refused.asked) : undefined;
  return absence === undefined
    ? refused
    : { ...refused, message: absence.kind === "absent" ? refused.message : absence.message, remedy: absence.remedy };
}

/** Keeps the time at which models were used, for recommendations. */
export async function rememberUse(host: Host, candidates: readonly Pick<Candidate, "name">[]): Promise<void> {
  const now = host.clock.now();
  await host.state.remember("used", new Map(candidates.map(({ name }) => [name, JSON.stringify(now)])));
}
