import type { Assessment } from "../domain/assess.ts";
import { lockEntryOf, type LockEntry } from "../domain/lock.ts";
import type { Instant } from "../domain/resource.ts";
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
