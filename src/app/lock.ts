import type { Model } from "../domain/model.ts";
import { lockEntryOf, type LockEntry } from "../domain/lock.ts";
import { editLock, lockHolding, lockUpstream, sameLock, type LockAttempt } from "../domain/lock-entry.ts";
import { findHolding, lockMismatch, placementOf } from "../domain/placement.ts";
import type { Memory, MemoryChange } from "../domain/inventory.ts";
import type { Holding, ObservedState } from "../domain/observed.ts";
import { encodeLock } from "../manifest/lock-file.ts";
import type { ProgressSink } from "../ports/progress.ts";
import { count } from "../report/quantities.ts";
import type { Connections, Host } from "./host.ts";
import { observeModels } from "./observe-models.ts";
import type { Project } from "./read-project.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** What became of one model when locking. */
export interface LockResult {
  readonly name: string;
  readonly state: "locked" | "updated" | "unchanged" | "refused" | "unlocked";
  readonly detail: string;
  readonly remedy?: string;
  readonly before?: string;
  readonly after?: string;
}

/** How to lock. */
export interface LockOptions {
  /** Empty = every model with local bytes. */
  readonly names: readonly string[];
  /** Move to what the registry or hub offers now. */
  readonly update: boolean;
  /** Replace an existing entry by what the machine holds. */
  readonly force: boolean;
  /** False = only say what would be locked. */
  readonly write: boolean;
  readonly progress: ProgressSink;
}

/** Writes lock entries for what the machine holds (hashed in full) or, with `update`, for what is offered upstream. Without names, entries without a manifest are dropped. */
export async function lockModels(host: Host, project: ValidProject, options: LockOptions, signal: AbortSignal): Promise<readonly LockResult[]> {
  const memory = await host.state.load();
  const desired = host.withDefaults(project.desired, memory);
  const models = desired.models.filter(
    (model) => model.source.kind !== "remote" && (options.names.length === 0 || options.names.includes(model.metadata.name)),
  );
  const connections = await host.connect(desired, "disk", { memory, lock: project.lock });
  const places = models.map((model) => ({ model, place: placementOf(model, desired, relevantLock(model, project)) }));
  const lock = { ...project.lock, entries: project.lock.entries.filter((entry) => models.some((model) => relevantLock(model, project) === entry)) };
  const observed = await observeModels(
    connections,
    { desired: { ...desired, models }, lock, memory },
    { level: "full", progress: options.progress },
    host.clock,
    signal,
  );
  const put: LockEntry[] = [];
  const observedNames = new Set<string>();
  const results: LockResult[] = [];
  for (const { model, place } of places) {
    if (place.kind === "remote") continue;
    const holding = holdingOf(model, place, observed, memory);
    if (holding !== undefined && !options.update) observedNames.add(model.metadata.name);
    const attempt = await attemptLock(model, place.ref, { holding, connections, update: options.update }, signal);
    const result = judge(model, attempt, lockEntryOf(project.lock, model.metadata.name), options);
    if ((result.state === "locked" || result.state === "updated") && "entry" in attempt) put.push(attempt.entry);
    results.push(result);
  }
  const proofs = put
    .filter((entry) => observedNames.has(entry.name))
    .map((entry): MemoryChange => ({
      kind: "verified",
      verification: { name: entry.name, at: host.clock.now(), level: "full", contentDigest: entry.contentDigest },
    }));
  const stale =
    options.names.length > 0
      ? []
      : project.lock.entries.filter((entry) => !desired.models.some((model) => model.metadata.name === entry.name)).map((entry) => entry.name);
  if (options.write && proofs.length > 0) await host.state.commit(proofs);
  if (options.write && put.length + stale.length > 0) await host.outputs.write(host.paths.lock, encodeLock(editLock(project.lock, put, stale)));
  return [...results, ...stale.map((name): LockResult => ({ name, state: "unlocked", detail: "no manifest declares it any more" }))];
}

function relevantLock(model: Model, project: ValidProject): LockEntry | undefined {
  const entry = lockEntryOf(project.lock, model.metadata.name);
  return entry === undefined || lockMismatch(model, entry) !== undefined ? undefined : entry;
}

function holdingOf(model: Model, place: Parameters<typeof findHolding>[1], observed: ObservedState, memory: Memory): Holding | undefined {
  const observation = observed.stores.find((candidate) => candidate.store === place.store);
  return observation?.state === "observed" ? findHolding(model, place, observation.holdings, memory) : undefined;
}

interface Attempt {
  readonly holding: Holding | undefined;
  readonly connections: Connections;
  readonly update: boolean;
}

async function attemptLock(
  model: Model,
  ref: string | undefined,
  { holding, connections, update }: Attempt,
  signal: AbortSignal,
): Promise<LockAttempt> {
  const { source } = model;
  if (holding !== undefined && !update) return (await incompleteHolding(model, holding, connections, signal)) ?? lockHolding(model, holding);
  if (source.kind !== "ollama" && source.kind !== "huggingface")
    return { problem: "its folder is not on this machine", remedy: "put the files in place first" };
  const hub = connections.hubs.find((candidate) => candidate.kind === source.kind);
  if (hub === undefined) return { problem: `no hub for ${source.kind} models` };
  const upstream = await hub.resolve({ source, hashAll: true }, signal);
  if (
    upstream.state === "resolved" &&
    holding !== undefined &&
    holding.contentId === (upstream.kind === "ollama" ? upstream.digest : upstream.commit)
  )
    return lockHolding(model, holding);
  return lockUpstream(model, ref ?? "", upstream);
}

/** A Hub snapshot may be a part of its commit. Where the hub can be asked, a part is not locked as if it were the model. */
async function incompleteHolding(model: Model, holding: Holding, connections: Connections, signal: AbortSignal): Promise<LockAttempt | undefined> {
  const { source } = model;
  const hub = connections.hubs.find((candidate) => candidate.kind === "huggingface");
  if (source.kind !== "huggingface" || hub === undefined) return undefined;
  if (holding.contentId === undefined)
    return { problem: `${holding.ref} has no record of where its files come from`, remedy: "holdfast reconcile compares it with the hub" };
  const upstream = await hub.resolve({ source, commit: holding.contentId }, signal);
  if (upstream.state !== "resolved") return undefined;
  const here = new Set(holding.artifacts.map((artifact) => artifact.path));
  const absent = upstream.files.filter((file) => !here.has(file.path));
  if (absent.length === 0) return undefined;
  return {
    problem: `${count(absent.length, "file")} of ${holding.ref} are not here, for example ${absent[0]?.path ?? ""}`,
    remedy: "holdfast reconcile fetches them; spec.source.huggingface.include declares a part",
  };
}

function judge(model: Model, attempt: LockAttempt, existing: LockEntry | undefined, options: LockOptions): LockResult {
  const { name } = model.metadata;
  if (!("entry" in attempt))
    return { name, state: "refused", detail: attempt.problem, ...(attempt.remedy === undefined ? {} : { remedy: attempt.remedy }) };
  const after = identityOf(attempt.entry);
  if (existing === undefined) return { name, state: "locked", detail: count(attempt.entry.artifacts.length, "file"), after };
  const before = identityOf(existing);
  if (sameLock(existing, attempt.entry)) return { name, state: "unchanged", detail: count(existing.artifacts.length, "file"), before, after };
  if (options.update || options.force) return { name, state: "updated", detail: "the lock moved", before, after };
  return {
    name,
    state: "refused",
    detail: "it is locked to other content",
    before,
    after,
    remedy: `holdfast lock ${name} --force locks what is here; holdfast reconcile restores what is locked`,
  };
}

/** The identity of a lock entry for people: manifest digest, commit or content digest. */
export function identityOf(entry: LockEntry): string {
  if (entry.source.kind === "ollama") return `sha256:${entry.source.manifestDigest}`;
  return entry.source.kind === "huggingface" ? entry.source.commit : `sha256:${entry.contentDigest}`;
}

/** Takes models out of the lock. */
export async function unlockModels(
  host: Host,
  project: ValidProject,
  { names, write }: Pick<LockOptions, "names" | "write">,
): Promise<readonly LockResult[]> {
  const locked = names.filter((name) => lockEntryOf(project.lock, name) !== undefined);
  if (write && locked.length > 0) await host.outputs.write(host.paths.lock, encodeLock(editLock(project.lock, [], locked)));
  return names.map((name): LockResult =>
    locked.includes(name)
      ? { name, state: "unlocked", detail: "its bytes are no longer pinned" }
      : { name, state: "unchanged", detail: "it was not locked" },
  );
}
