import type { Assessment } from "../domain/assess.ts";
import { lockEntryOf, type LockEntry } from "../domain/lock.ts";
import type { Instant } from "../domain/resource.ts";
import type { ActiveState } from "../domain/active-state.ts";
import { standElsewhere, standOf, type CurrentActivation } from "./current-activation.ts";
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
  readonly sizeBytes?: number;
  /** Since when it is ours. */
  readonly since?: Instant;
  readonly verifiedAt?: Instant;
  readonly verifiedLevel?: string;
  readonly protect: boolean;
  readonly message: string;
}

/** The status of every declared model, from one preview; it never says more than was observed. */
export function statusOf(view: Preview): readonly ModelStatus[] {
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
