import type { Diagnostic } from "../domain/diagnostic.ts";
import { failed, type Failure } from "../domain/failure.ts";
import type { MemoryChange } from "../domain/inventory.ts";
import type { Holding, StoreId } from "../domain/observed.ts";
import { assessAll } from "../domain/plan/plan.ts";
import { unmanagedHoldings } from "../domain/plan/leaving.ts";
import { holdingSize } from "../domain/sizes.ts";
import { manifestsFromHoldings } from "../registry/migrate.ts";
import { renderManifest } from "../registry/render-manifest.ts";
import type { ProgressSink } from "../ports/progress.ts";
import { freeManifestPath } from "./free-manifest-path.ts";
import type { Host } from "./host.ts";
import { lockModels, type LockResult } from "./lock.ts";
import { observe } from "./observe.ts";
import { readProject, type Project } from "./read-project.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** What an adoption wrote, or would write. */
export interface Adoption {
  readonly manifests: readonly { readonly path: string; readonly name: string; readonly text: string }[];
  readonly locks: readonly LockResult[];
  readonly findings: readonly Diagnostic[];
  /** Models that were already declared or owned. */
  readonly passedOver: number;
  /** Stores that could not be looked at: what they hold was not adopted. */
  readonly unknown: readonly { readonly store: StoreId; readonly failure: Failure }[];
}

/** How to adopt. Names are references or registry names of unmanaged models; empty = all of them. */
export interface AdoptOptions {
  readonly names: readonly string[];
  readonly write: boolean;
  readonly progress: ProgressSink;
}

/** Declares and locks what this machine already has, and takes it into the inventory. No byte moves; the next plan is empty. */
export async function adoptModels(host: Host, project: ValidProject, options: AdoptOptions, signal: AbortSignal): Promise<Adoption> {
  const release = options.write ? await host.lock.acquire("adopt") : () => undefined;
  try {
    return await adopt(host, project, options, signal);
  } finally {
    release();
  }
}

async function adopt(host: Host, project: ValidProject, options: AdoptOptions, signal: AbortSignal): Promise<Adoption> {
  const memory = await host.state.load();
  const desired = host.withDefaults(project.desired, "always");
  const connections = await host.connect(desired, "server", { memory, lock: project.lock });
  const observed = await observe(connections, { level: "stat", progress: options.progress }, host.clock, signal);
  const assessments = assessAll({ desired, lock: project.lock, observed, memory, upstream: {} });
  const unmanaged = unmanagedHoldings(assessments, { observed, memory });
  const taken = new Set(desired.models.map((model) => model.metadata.name));
  const named = unmanaged.map((holding) => {
    const name = memory.discovered.find((model) => model.store === holding.store && model.ref === holding.ref)?.name ?? host.nameFor(holding, taken);
    taken.add(name);
    return { holding, name };
  });
  const chosen = choose(named, options.names);
  const { manifests, findings } = manifestsFromHoldings(
    chosen.map(({ holding }) => holding),
    (holding) => chosen.find((candidate) => candidate.holding === holding)?.name ?? holding.ref,
  );
  const files: { readonly path: string; readonly name: string; readonly text: string }[] = [];
  for (const manifest of manifests)
    files.push({
      path: await freeManifestPath(host, "adopted", { name: manifest.metadata.name, planned: files }),
      name: manifest.metadata.name,
      text: renderManifest(manifest),
    });
  const passedOver = observed.stores.reduce((total, store) => total + (store.state === "observed" ? store.holdings.length : 0), 0) - unmanaged.length;
  const unknown = observed.stores.flatMap((store) => (store.state === "unknown" ? [{ store: store.store, failure: store.failure }] : []));
  if (!options.write) return { manifests: files, locks: [], findings, passedOver, unknown };
  for (const file of files) await host.outputs.write(file.path, file.text);
  const locks = await lockAdopted(
    host,
    files.map((file) => file.name),
    options,
    signal,
  );
  await host.state.commit(
    chosen.flatMap(({ holding, name }) => (files.some((file) => file.name === name) ? ownership(holding, name, host.clock.now()) : [])),
  );
  return { manifests: files, locks, findings, passedOver, unknown };
}

interface Named {
  readonly holding: Holding;
  readonly name: string;
}

function choose(named: readonly Named[], names: readonly string[]): readonly Named[] {
  const unknown = names.find((wanted) => !named.some((candidate) => matches(candidate, wanted)));
  if (unknown !== undefined)
    throw failed("invalid-input", `no unmanaged model is called ${JSON.stringify(unknown)}`, {
      remedy: "holdfast import, then holdfast list, shows what is there",
    });
  return names.length === 0 ? named : named.filter((candidate) => names.some((wanted) => matches(candidate, wanted)));
}

function matches({ holding, name }: Named, wanted: string): boolean {
  return name === wanted || holding.ref === wanted || holding.ref.endsWith(`/${wanted}`);
}

async function lockAdopted(host: Host, names: readonly string[], options: AdoptOptions, signal: AbortSignal): Promise<readonly LockResult[]> {
  if (names.length === 0) return [];
  const project = await readProject(host, signal);
  if (project.state === "invalid") {
    const [first] = project.diagnostics;
    throw failed("invalid-input", `the manifests do not decode after adoption: ${first?.message ?? ""}`, { remedy: "holdfast validate" });
  }
  return lockModels(host, project, { names, update: false, force: true, write: true, progress: options.progress }, signal);
}

function ownership(holding: Holding, name: string, since: string): readonly MemoryChange[] {
  const content = holding.contentId === undefined ? {} : { contentId: holding.contentId };
  const revision = holding.store === "huggingface" && holding.contentId !== undefined ? { revision: holding.contentId } : {};
  const item = {
    name,
    store: holding.store,
    ref: holding.ref,
    origin: "adopted" as const,
    since,
    sizeBytes: holdingSize(holding),
    protect: false,
    ...content,
    ...revision,
  };
  return [
    { kind: "own", item },
    { kind: "undiscover", store: holding.store, ref: holding.ref },
  ];
}
