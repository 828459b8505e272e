import { effectiveLock, findHolding, observationOf, placementOf } from "../domain/placement.ts";
import type { LockEntry } from "../domain/lock.ts";
import type { Model } from "../domain/model.ts";
import type { Holding } from "../domain/observed.ts";
import type { Upstream } from "../domain/upstream.ts";
import type { UpstreamQuestion } from "../domain/plan/upstream-questions.ts";
import type { Host } from "./host.ts";
import { observe } from "./observe.ts";
import type { Project } from "./read-project.ts";
import { resolveUpstream } from "./resolve-upstream.ts";

/** Whether registry or hub offer other bytes than the ones locked or held. `reformatted`: another manifest text, the same bytes. */
export interface UpstreamComparison {
  readonly name: string;
  readonly source: string;
  readonly state: "current" | "moved" | "reformatted" | "gone" | "unknown" | "not here";
  readonly current?: string;
  readonly latest?: string;
  /** Layers or files that differ. */
  readonly changed: readonly string[];
  readonly locked: boolean;
  readonly detail: string;
}

/** Asks upstream what each tracked model is now. Nothing is pulled and nothing is written. */
export async function compareUpstream(
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly UpstreamComparison[]> {
  const memory = await host.state.load();
  const desired = host.withDefaults(project.desired, memory);
  const models = desired.models.filter((model) => isTracked(model) && (names.length === 0 || names.includes(model.metadata.name)));
  const connections = await host.connect(desired, "disk", { memory, lock: project.lock });
  const questions = models.flatMap((model): readonly UpstreamQuestion[] =>
    isTracked(model) ? [{ key: model.metadata.name, source: model.source }] : [],
  );
  const [observed, upstream] = await Promise.all([
    observe(connections, { level: "presence" }, host.clock, signal),
    resolveUpstream(questions, connections.hubs, signal),
  ]);
  return models.map((model) => {
    const lock = effectiveLock(model, project.lock);
    const place = placementOf(model, desired, lock);
    const observation = place.kind === "stored" ? observationOf(observed.stores, place.store) : undefined;
    const holding =
      place.kind === "stored" && observation?.state === "observed" ? findHolding(model, place, observation.holdings, memory) : undefined;
    if (lock === undefined && observation?.state === "unknown")
      return {
        name: model.metadata.name,
        source: sourceText(model),
        state: "unknown",
        changed: [],
        locked: false,
        detail: observation.failure.message,
      };
    return compare(model, lock, holding, upstream[model.metadata.name]);
  });
}

type Tracked = Model & { readonly source: UpstreamQuestion["source"] };

function isTracked(model: Model): model is Tracked {
  return (model.source.kind === "ollama" || model.source.kind === "huggingface") && model.lifecycle.state === "active";
}

function compare(model: Model, lock: LockEntry | undefined, holding: Holding | undefined, upstream: Upstream | undefined): UpstreamComparison {
  const current = currentIdentity(lock, holding);
  const base = {
    name: model.metadata.name,
    source: sourceText(model),
    locked: lock !== undefined,
    changed: [],
    ...(current === undefined ? {} : { current }),
  };
  if (upstream === undefined || upstream.state === "failed") {
    const gone = upstream?.failure.code === "not-found";
    return { ...base, state: gone ? "gone" : "unknown", detail: upstream?.failure.message ?? "not asked" };
  }
  const latest = upstream.kind === "ollama" ? upstream.digest : upstream.commit;
  if (current === undefined) return { ...base, latest, state: "not here", detail: "neither locked nor on this machine" };
  if (current === latest) return { ...base, latest, state: "current", detail: "up to date" };
  const changed = changedFiles(lock?.artifacts ?? holding?.artifacts ?? [], upstream);
  if (changed.length === 0 && upstream.kind === "ollama")
    return { ...base, latest, state: "reformatted", detail: "same bytes; the registry writes the manifest differently" };
  const next =
    lock === undefined ? "it is not locked: a reconcile keeps what is here" : `follow it with: holdfast lock ${model.metadata.name} --update`;
  return { ...base, latest, changed, state: "moved", detail: next };
}

function currentIdentity(lock: LockEntry | undefined, holding: Holding | undefined): string | undefined {
  if (lock?.source.kind === "ollama") return lock.source.manifestDigest;
  if (lock?.source.kind === "huggingface") return lock.source.commit;
  return holding?.contentId;
}

function changedFiles(
  have: readonly { readonly path: string; readonly size: number; readonly sha256?: string; readonly declaredSha256?: string }[],
  upstream: Extract<Upstream, { state: "resolved" }>,
): readonly string[] {
  const known = new Map(have.map((file) => [file.path, file]));
  const offered = new Set(upstream.files.map((file) => file.path));
  const changed = upstream.files.filter((file) => {
    const mine = known.get(file.path);
    const hash = mine?.sha256 ?? mine?.declaredSha256;
    return mine === undefined || mine.size !== file.size || (file.sha256 !== undefined && hash !== undefined && hash !== file.sha256);
  });
  return [...changed.map((file) => file.path), ...have.filter((file) => !offered.has(file.path)).map((file) => file.path)].toSorted();
}

function sourceText({ source }: Model): string {
  if (source.kind === "ollama") return source.model;
  return source.kind === "huggingface" ? `${source.repo}@${source.revision}` : source.kind;
}
