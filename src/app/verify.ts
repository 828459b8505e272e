import type { Assessment, Defect } from "../domain/plan/assess.ts";
import { contentDigest } from "../domain/digest.ts";
import type { Failure } from "../domain/failure.ts";
import type { MemoryChange } from "../domain/inventory.ts";
import type { VerificationLevel } from "../domain/observed.ts";
import { assessAll } from "../domain/plan/plan.ts";
import type { ProgressSink } from "../ports/progress.ts";
import { integrityOf, modelArtifacts } from "../registry/integrity.ts";
import { count } from "../report/quantities.ts";
import { exitCodes, worstExitCode } from "./exit-code.ts";
import type { Host } from "./host.ts";
import { observeModels } from "./observe-models.ts";
import type { Project } from "./read-project.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** What the bytes of one model prove. */
export interface Verification {
  readonly name: string;
  /** `ok`: matches its lock; `unlocked`: matches what its store declares, but nothing pins it; `violation`: does not match. */
  readonly state: "ok" | "unlocked" | "violation" | "missing" | "unknown";
  readonly level: VerificationLevel;
  readonly files: number;
  readonly bytes: number;
  readonly defects: readonly Defect[];
  readonly contentDigest?: string;
  /** The formula of `artifacts.aggregate_sha256` in the registry; there when every file was hashed. */
  readonly aggregateSha256?: string;
  readonly detail: string;
  /** What to do about a violation: both ways out. */
  readonly remedies?: readonly string[];
  readonly failure?: Failure;
}

/** How closely to look, and at what. */
export interface VerifyOptions {
  readonly names: readonly string[];
  readonly level: VerificationLevel;
  readonly progress: ProgressSink;
}

/** Re-reads what the machine holds and compares it with the lock. Needs no server where the store can be read. Successes are remembered. */
export async function verifyModels(host: Host, project: ValidProject, options: VerifyOptions, signal: AbortSignal): Promise<readonly Verification[]> {
  const memory = await host.state.load();
  const desired = host.withDefaults(project.desired, memory);
  const connections = await host.connect(desired, "disk", { memory, lock: project.lock });
  const subset = { ...desired, models: desired.models.filter((model) => options.names.length === 0 || options.names.includes(model.metadata.name)) };
  const observed = await observeModels(connections, { desired: subset, lock: project.lock, memory }, options, host.clock, signal);
  const results = assessAll({ desired: subset, lock: project.lock, observed, memory, upstream: {} }).flatMap((assessment) =>
    verificationOf(assessment, options.level),
  );
  const now = host.clock.now();
  const proofs = results.flatMap((result): readonly MemoryChange[] => {
    if (result.contentDigest === undefined || options.level === "presence" || (result.state !== "ok" && result.state !== "unlocked")) return [];
    return [{ kind: "verified", verification: { name: result.name, at: now, level: options.level, contentDigest: result.contentDigest } }];
  });
  if (proofs.length > 0) await host.state.commit(proofs);
  return results;
}

function verificationOf(assessment: Assessment, level: VerificationLevel): readonly Verification[] {
  const { name } = assessment.model.metadata;
  const empty = { name, level, files: 0, bytes: 0, defects: [] } as const;
  switch (assessment.state) {
    case "remote":
      return [];
    case "unknown":
      return [{ ...empty, state: "unknown", detail: assessment.failure.message, failure: assessment.failure }];
    case "unlockable":
      return [{ ...empty, state: "violation", detail: assessment.problem }];
    case "missing":
      return assessment.model.lifecycle.state === "deprecated" ? [] : [{ ...empty, state: "missing", detail: `not in ${assessment.store}` }];
    case "unreadable":
      return [{ ...empty, state: "violation", detail: assessment.failure.message, failure: assessment.failure }];
    case "held":
      return [heldVerification(assessment, level)];
  }
}

type Held = Extract<Assessment, { state: "held" }>;

function heldVerification(held: Held, level: VerificationLevel): Verification {
  const { holding, lock } = held;
  const bytes = holding.artifacts.reduce((total, artifact) => total + artifact.size, 0);
  const base = { name: held.model.metadata.name, level, files: holding.artifacts.length, bytes, defects: held.defects };
  if (held.identity === "different")
    return {
      ...base,
      ...remediesOf(held),
      state: "violation",
      detail: `holds ${holding.contentId ?? "other content"}, the lock says ${lock?.source.kind === "ollama" ? lock.source.manifestDigest : ""}`,
    };
  if (held.defects.length > 0) return defective(base, held);
  const unread = level === "presence" ? 0 : holding.artifacts.filter(({ found }) => found.state === "present" && found.level === "presence").length;
  if (unread > 0)
    return {
      ...base,
      state: "unknown",
      detail:
        level === "full" ? `${count(unread, "file")} could not be read from here` : `${count(unread, "file")} not hashed since they last changed`,
    };
  if (level === "presence")
    return { ...base, state: lock === undefined ? "unlocked" : "ok", detail: "present with the right sizes; no byte was read" };
  const proven = digestsOf(held);
  if (lock === undefined) return { ...base, ...proven, state: "unlocked", detail: "matches what its store declares; nothing pins it" };
  return {
    ...base,
    ...proven,
    state: "ok",
    detail: held.identity === "cosmetic" ? "same bytes; only the manifest text differs" : "matches the lock",
  };
}

function defective(base: Omit<Verification, "state" | "detail">, held: Held): Verification {
  const { defects, holding } = held;
  const unreadable = defects.every((defect) => defect.kind === "unreadable");
  if (unreadable)
    return { ...base, state: "unknown", detail: `${count(defects.length, "file")} cannot be read: ${defects[0]?.failure?.message ?? ""}` };
  const detail = `changed or corrupt: ${defects.length} of ${holding.artifacts.length} files are wrong`;
  return { ...base, ...remediesOf(held), state: "violation", detail };
}

function digestsOf({ holding, model }: Held): Pick<Verification, "contentDigest" | "aggregateSha256"> {
  const hashed = holding.artifacts.flatMap(({ path, size, found }) =>
    found.state === "present" && found.level !== "presence" ? [{ path, size, sha256: found.sha256 }] : [],
  );
  if (hashed.length < holding.artifacts.length) return {};
  return { contentDigest: contentDigest(hashed), aggregateSha256: integrityOf(modelArtifacts(holding, model), undefined).artifacts.aggregate_sha256 };
}

/** Restore what the lock says, or accept what is here. Nobody can fetch a plain folder again. */
function remediesOf({ model, lock }: Held): Pick<Verification, "remedies"> {
  const { name } = model.metadata;
  const source = lock === undefined ? "the right files" : "the files that are locked";
  const restore = model.source.kind === "path" ? `put ${source} back in place` : `holdfast reconcile --only ${name} fetches ${source}`;
  return { remedies: [restore, ...(lock === undefined ? [] : [`holdfast lock ${name} --set-expected accepts what is here`])] };
}

/** 2 when bytes do not match, 24 when something could not be looked at. */
export function exitCodeOfVerification(results: readonly Verification[]): number {
  return worstExitCode(
    results.map((result) =>
      result.state === "unknown" ? exitCodes.unknown : result.state === "violation" || result.state === "missing" ? exitCodes.drift : exitCodes.done,
    ),
  );
}
