import type { LoadRequest, PullRequest, RepairRequest, RemoveRequest, TagRequest, UnloadRequest } from "../../src/domain/action.ts";
import { failed, type Failure } from "../../src/domain/failure.ts";
import { compareText } from "../../src/domain/diagnostic.ts";
import { emptyMemory, type Memory, type MemoryChange } from "../../src/domain/inventory.ts";
import type { Holding, LoadedModel, Observation, ObservedArtifact, StoreId, VerificationLevel } from "../../src/domain/observed.ts";
import type { ArtifactHub, UpstreamQuery } from "../../src/ports/artifact-hub.ts";
import type { ModelRuntime } from "../../src/ports/model-runtime.ts";
import type { ModelReader, ModelWriter, ObserveRequest } from "../../src/ports/model-store.ts";
import type { RunRecord, StateStore } from "../../src/ports/state-store.ts";
import type { Upstream } from "../../src/domain/upstream.ts";
import { applyMemoryChange } from "../../src/domain/memory-changes.ts";
import { holdingOf, type Content } from "./content.ts";

/** A store in memory that keeps the contract of the ports: whole holdings, and files that can be spoilt. */
export class MemoryStore implements ModelReader, ModelWriter, ModelRuntime {
  readonly store: StoreId;
  readonly concurrency: number;
  readonly holdings = new Map<string, Holding>();
  /** What a pull by name alone brings, for Ollama. */
  readonly tags = new Map<string, Content>();
  /** Set to make the store unobservable. */
  failure: Failure | undefined;
  /** What the clock of its server says. */
  now = "2026-11-21T12:00:00.000Z";
  readonly #contents: ReadonlyMap<string, Content>;

  constructor(store: StoreId, contents: ReadonlyMap<string, Content>) {
    this.store = store;
    this.concurrency = store.startsWith("ollama:") ? 1 : 4;
    this.#contents = contents;
  }

  async observe(_request: ObserveRequest, signal: AbortSignal): Promise<Observation> {
    signal.throwIfAborted();
    if (this.failure !== undefined) return { state: "unknown", store: this.store, failure: this.failure };
    const isServer = this.store.startsWith("ollama:");
    const holdings = [...this.holdings.values()].toSorted((a, b) => compareText(a.ref, b.ref));
    return {
      state: "observed",
      store: this.store,
      complete: true,
      holdings,
      unreadable: [],
      warnings: [],
      ...(isServer ? { runtimeSeen: true } : {}),
    };
  }

  async inspect(ref: string, _level: VerificationLevel, signal: AbortSignal): Promise<Holding | undefined> {
    signal.throwIfAborted();
    if (this.failure !== undefined) throw failed(this.failure.code, this.failure.message);
    return this.holdings.get(ref);
  }

  async pull(request: PullRequest): Promise<Holding> {
    if (request.kind === "ollama") {
      const digest = request.pin?.digest ?? request.digest;
      const content = digest === undefined ? this.tags.get(request.model) : this.#contents.get(digest);
      if (content === undefined) throw failed("not-found", `${request.model} is not in the registry`);
      return this.#put(holdingOf(this.store, request.model, content));
    }
    const content = this.#contents.get(request.commit);
    if (content === undefined) throw failed("not-found", `${request.repo} is not on the hub`);
    return this.#put(holdingOf(this.store, `${request.repo}@${request.commit}`, content, { names: request.refs }));
  }

  async repair(request: RepairRequest): Promise<Holding> {
    return this.pull(request);
  }

  async tag(request: TagRequest): Promise<Holding> {
    const from = this.holdings.get(request.from);
    if (from === undefined) throw failed("not-found", `${request.from} is not here`);
    return this.#put({ ...from, ref: request.to, names: [] });
  }

  async remove(request: RemoveRequest): Promise<{ freedBytes: number; quarantine?: string }> {
    this.holdings.delete(request.ref);
    return { freedBytes: 0, ...(request.quarantine ? { quarantine: "kept" } : {}) };
  }

  async load({ ref, keep }: LoadRequest): Promise<LoadedModel> {
    const holding = this.holdings.get(ref);
    if (holding === undefined) throw failed("not-found", `${ref} is not here`);
    const expiresAt = keep === "forever" ? "2319-01-01T00:00:00.000Z" : new Date(Date.parse(this.now) + keep).toISOString();
    const digest = holding.contentId === undefined ? {} : { digest: holding.contentId };
    const loaded: LoadedModel = { ref, ...digest, sizeVram: 1000, expiresAt };
    this.holdings.set(ref, { ...holding, loaded });
    return loaded;
  }

  async unload({ ref, digest }: UnloadRequest): Promise<void> {
    const holding = this.holdings.get(ref);
    if (holding?.loaded === undefined || (digest !== undefined && digest !== holding.loaded.digest)) return;
    const { loaded: _gone, ...rest } = holding;
    this.holdings.set(ref, rest);
  }

  /** Gives one file of a holding another state. */
  spoil(ref: string, index: number, found: ObservedArtifact["found"]): void {
    const holding = this.holdings.get(ref);
    if (holding === undefined) return;
    const artifacts = holding.artifacts.map((artifact, position) =>
      position === index % holding.artifacts.length ? { ...artifact, found } : artifact,
    );
    this.holdings.set(ref, { ...holding, artifacts });
  }

  #put(holding: Holding): Holding {
    this.holdings.set(holding.ref, holding);
    return holding;
  }
}

/** A registry or hub in memory: answers by name (`ollama` ref or `repo@revision`), or by locked commit. */
export class MemoryHub implements ArtifactHub {
  readonly kind: "ollama" | "huggingface";
  readonly answers = new Map<string, Upstream>();

  constructor(kind: "ollama" | "huggingface") {
    this.kind = kind;
  }

  async resolve(query: UpstreamQuery): Promise<Upstream> {
    const { source } = query;
    const key = source.kind === "ollama" ? source.model : `${source.repo}@${query.commit ?? source.revision}`;
    return (
      this.answers.get(key) ?? {
        state: "failed",
        failure: { code: "not-found", retry: "terminal", message: `${key} is not there` },
        missingBlobs: query.blobs ?? [],
      }
    );
  }
}

/** The memory of a machine, kept in memory. */
export class MemoryState implements StateStore {
  memory: Memory = emptyMemory;
  readonly records: RunRecord[] = [];
  readonly #texts = new Map<string, string>();

  async load(): Promise<Memory> {
    return this.memory;
  }

  async commit(changes: readonly MemoryChange[]): Promise<void> {
    this.memory = changes.reduce(applyMemoryChange, this.memory);
  }

  async recordRun(run: RunRecord): Promise<void> {
    this.records.push(run);
  }

  async runs(limit: number): Promise<readonly RunRecord[]> {
    return this.records.toReversed().slice(0, limit);
  }

  async remembered(kind: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(keys.flatMap((key) => (this.#texts.has(`${kind}:${key}`) ? [[key, this.#texts.get(`${kind}:${key}`) ?? ""] as const] : [])));
  }

  async remember(kind: string, entries: ReadonlyMap<string, string>): Promise<void> {
    for (const [key, text] of entries) this.#texts.set(`${kind}:${key}`, text);
  }

  close(): void {
    this.#texts.clear();
  }
}
