import type { Assessment } from "../domain/plan/assess.ts";
import { lockEntryOf, type LockEntry } from "../domain/lock.ts";
import type { KeepLoaded } from "../domain/model.ts";
import { describeState, type ModelState, type ModelStatusRecord } from "../domain/model-state.ts";
import { formatBytes, formatSpan } from "../report/quantities.ts";
import type { Instant } from "../domain/resource.ts";
import type { ActiveState } from "../domain/activation/active-state.ts";
import { standElsewhere, standOf, type CurrentActivation } from "./activation/current.ts";
import type { Host } from "./host.ts";
import { recallStates, statesAfterLook } from "./model-states.ts";
import type { Preview } from "./preview.ts";

/** One declared model as it stands: two separate words for drift (does it match?) and health (can it be used?). */
export interface ModelStatus {
  readonly name: string;
  readonly roles: readonly string[];
  /** Undefined = nothing pins it. */
  readonly desired?: string;
  readonly applied?: string;
  readonly drift: string;
  readonly health: "Ready" | "Missing" | "Degraded" | "Progressing" | "Unknown" | "Deprecated" | "Remote";
  readonly loaded: boolean;
  /** Where it is between registry and memory; `unknown` when it could not be looked at, `remote` when it has no bytes here. */
  readonly state: ModelState["state"] | "unknown" | "remote";
  /** What the state means, in one line, for example `loaded, 5.2 GB VRAM, for 4m`. */
  readonly stateText: string;
  /** Bytes, of a model in memory. */
  readonly sizeVram?: number;
  readonly expiresAt?: Instant;
  /** Tokens it was loaded with. */
  readonly contextLength?: number;
  /** The server still runs an earlier content. */
  readonly stale?: boolean;
  readonly keepLoaded?: KeepLoaded;
  /** What it can do, as observed; the manifest's overrides on top. */
  readonly capabilities: readonly string[];
  readonly lastUsed?: Instant;
  /** What went wrong with it in the last pass. */
  readonly lastFailure?: string;
  readonly sizeBytes?: number;
  /** Since when it is ours. */
  readonly since?: Instant;
  readonly verifiedAt?: Instant;
  readonly verifiedLevel?: string;
  readonly protect: boolean;
  readonly message: string;
}

/** The status of every declared model, from one preview; it never says more than was observed. */
export async function statusOf(host: Pick<Host, "state">, view: Preview): Promise<readonly ModelStatus[]> {
  const before = await recallStates(host.state, view);
  const now = statesAfterLook(before, view);
  return view.assessments.map((assessment) => {
    const { metadata, roles, protect, lifecycle } = assessment.model;
    const { name } = metadata;
    const drifts = view.drifts.filter((drift) => drift.object === `model/${name}`);
    const item = view.memory.inventory.find((candidate) => candidate.name === name);
    const proof = view.memory.verifications.find((candidate) => candidate.name === name);
    const [worst] = drifts;
    return {
      name,
      roles: roles.map((claim) => claim.role),
      ...identities(assessment, lockEntryOf(view.project.lock, name)),
      drift: assessment.state === "unknown" ? "unknown" : (worst?.class ?? "none"),
      health: lifecycle.state === "deprecated" ? "Deprecated" : healthOf(assessment),
      capabilities: capabilitiesOf(assessment),
      ...stateOf(assessment, { before: before.get(name), now: now.get(name) }, view.observed.at),
      loaded: assessment.state === "held" && assessment.holding.loaded !== undefined,
      ...(assessment.state === "held" ? { sizeBytes: assessment.holding.artifacts.reduce((total, artifact) => total + artifact.size, 0) } : {}),
      ...(item === undefined ? {} : { since: item.since }),
      ...(proof === undefined ? {} : { verifiedAt: proof.at, verifiedLevel: proof.level }),
      protect,
      message: worst?.message ?? "",
    };
  });
}

/** One single-port backend as it stands. */
export interface BackendStatus {
  readonly backend: string;
  /** Model, or `none`. */
  readonly declared: string;
  readonly state: CurrentActivation["state"];
  readonly active?: ActiveState;
  /** Why it does not serve what is declared, or what last went wrong. */
  readonly message: string;
}

/** The status of every backend whose server Holdfast starts and the manifests decide about. */
export function servingStatusOf({ input, drifts }: Preview): readonly BackendStatus[] {
  return (input.activations ?? []).flatMap((observation): readonly BackendStatus[] => {
    const { backend } = observation;
    const active = input.desired.backends.find((candidate) => candidate.metadata.name === backend)?.active;
    const drift = drifts.find((candidate) => candidate.object === `backend/${backend}`);
    const base = { backend, declared: active === undefined ? "left the manifests" : active.kind === "none" ? "none" : active.name };
    if (observation.state === "unknown") return [{ ...base, state: "unknown", message: observation.failure.message }];
    const served = input.observed.serving.find((candidate) => candidate.backend === backend);
    if (observation.state === "elsewhere") return [{ ...base, ...standElsewhere(served), message: drift?.message ?? "on another machine" }];
    const stand = standOf(observation.record.port, observation, served);
    const { condition } = observation.record;
    const last = condition === undefined || condition.status === "True" || condition.reason === "Stopped" ? "" : condition.message;
    return [{ ...base, state: stand.state, ...(stand.active === undefined ? {} : { active: stand.active }), message: drift?.message ?? last }];
  });
}

function capabilitiesOf({ model, ...assessment }: Assessment): readonly string[] {
  const observed = assessment.state === "held" ? Object.entries(assessment.holding.facts.capabilities) : [];
  const all = { ...Object.fromEntries(observed.map(([name, { value }]) => [name, value])), ...model.capabilities };
  return Object.keys(all)
    .filter((name) => all[name] === true)
    .toSorted();
}

/** Nothing of what was known before a look that failed is said to be so now. */
function stateOf(
  assessment: Assessment,
  { before, now }: { readonly before: ModelStatusRecord | undefined; readonly now: ModelStatusRecord | undefined },
  at: Instant,
): Pick<ModelStatus, "state" | "stateText" | "sizeVram" | "expiresAt" | "contextLength" | "stale" | "keepLoaded" | "lastUsed" | "lastFailure"> {
  const { keepLoaded } = assessment.model;
  const more = {
    ...(keepLoaded === undefined ? {} : { keepLoaded }),
    ...(now?.lastUsed === undefined ? {} : { lastUsed: now.lastUsed }),
    ...(before?.now.state === "error" ? { lastFailure: `${before.now.during}: ${before.now.reason}` } : {}),
  };
  if (now === undefined) return { state: "remote", stateText: "remote", ...more };
  if (assessment.state === "unknown") return { state: "unknown", stateText: "unknown", ...more };
  const stateText = describeState(now.now, at, { bytes: formatBytes, duration: formatSpan });
  if (now.now.state !== "loaded") return { state: now.now.state, stateText, ...more };
  const { size: _size, ...loaded } = now.now;
  return { ...loaded, stateText, ...more };
}

function identities(assessment: Assessment, lock: LockEntry | undefined): { readonly desired?: string; readonly applied?: string } {
  const desired =
    lock?.source.kind === "ollama" ? lock.source.manifestDigest : lock?.source.kind === "huggingface" ? lock.source.commit : lock?.contentDigest;
  const applied = assessment.state === "held" ? assessment.holding.contentId : undefined;
  return { ...(desired === undefined ? {} : { desired }), ...(applied === undefined ? {} : { applied }) };
}

function healthOf(assessment: Assessment): ModelStatus["health"] {
  switch (assessment.state) {
    case "remote":
      return "Remote";
    case "unknown":
      return "Unknown";
    case "unlockable":
    case "unreadable":
      return "Degraded";
    case "missing":
      return "Missing";
    case "held":
      return assessment.defects.length > 0 || assessment.identity === "different" ? "Degraded" : "Ready";
  }
}
