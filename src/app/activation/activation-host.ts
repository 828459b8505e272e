import { join } from "node:path";
import { endpointOf, type Endpoint } from "../../domain/activation/arguments.ts";
import type { ActivationObservation, ActivationRecord, ServingTarget } from "../../domain/activation/activation.ts";
import type { Backend } from "../../domain/backend.ts";
import { sha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ModelReader } from "../../ports/model-store.ts";
import type { Prober } from "../../ports/probe.ts";
import type { EngineProcesses } from "../../ports/process.ts";
import type { ProgressSink } from "../../ports/progress.ts";
import type { ServingReader } from "../../ports/serving-backend.ts";
import type { ActivationFiles, GpuMeter, ServingEngine } from "../../ports/serving-engine.ts";

/** What switching models needs of the machine. */
export interface ActivationHost {
  readonly clock: Clock;
  readonly processes: EngineProcesses;
  readonly files: ActivationFiles;
  readonly gpu: GpuMeter;
  readonly progress: ProgressSink;
  readonly readers: readonly ModelReader[];
  readonly serving: readonly ServingReader[];
  readonly engines: readonly ServingEngine[];
  readonly paths: ActivationPaths;
  readonly apiKeyOf?: (backend: Backend) => string | undefined;
}

/** What starting and stopping serving engines needs of this machine, whatever is declared. */
export interface ServingMachine extends Pick<ActivationHost, "processes" | "files" | "gpu" | "paths"> {
  /** Absolute path of the state file, which speaks about one backend. */
  readonly stateFile: string;
  /** Lets models answer, for the vision probe. */
  readonly prober: Prober;
  /** The API key of a backend's endpoint; it is kept nowhere. */
  readonly apiKeyOf: (backend: Backend) => string | undefined;
}

/** Absolute folders. */
export interface ActivationPaths {
  /** Engines run here, and relative launch commands start here. */
  readonly root: string;
  /** Records, one file per backend. */
  readonly records: string;
  readonly logs: string;
}

/** One backend and where it listens. */
export interface Place {
  readonly backend: string;
  readonly port: number;
  readonly stopTimeout: Milliseconds;
  /** Absolute path of the state file, when it speaks about this backend. */
  readonly stateFile?: string;
}

/** One switch that runs: what every step of it needs. */
export interface Job {
  readonly host: ActivationHost;
  /** Id of the action, repeated in progress events. */
  readonly id: string;
  readonly place: Place;
  readonly signal: AbortSignal;
}

/** A place with everything about starting a server there. */
export interface StartJob extends Job {
  readonly endpoint: Endpoint;
  readonly url: string;
  readonly type: "vllm" | "lmdeploy" | "gguf";
  readonly startTimeout: Milliseconds;
  readonly smokeTest: boolean;
  readonly rollback: boolean;
  readonly adopt: boolean;
  readonly probe?: VisionProbe;
  /** Variables that are given to the engine and written down nowhere. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** What is there before a switch. */
export type Seen = Extract<ActivationObservation, { state: "observed" }>;

const neverAborts = new AbortController().signal;

/** The same job when it must not be cancelled any more. */
export function steady<AnyJob extends Job>(job: AnyJob): AnyJob {
  return { ...job, signal: neverAborts };
}

/** Asks a model that serves for more than one token, for example to describe an image; throws HoldfastError when it cannot. */
export type VisionProbe = (served: { readonly url: string; readonly servedId: string }, signal: AbortSignal) => Promise<void>;

/** The beginning of every marker of one backend of one project. */
export function scopeOf(paths: Pick<ActivationPaths, "root">, backend: string): string {
  return sha256(`${paths.root}\0${backend}`).slice(0, 16);
}

/** The beginning of every marker of one target: a process tells what it runs even when its record is lost. */
export function targetScope(paths: Pick<ActivationPaths, "root">, backend: string, target: Pick<ServingTarget, "digest">): string {
  return `${scopeOf(paths, backend)}.${target.digest.slice(0, 16)}`;
}

/** Where a backend listens, as switches need it; throws HoldfastError where that is not on this machine. */
export function placeOf(backend: Backend, stateFile: string | undefined): Place {
  const endpoint = endpointOf(backend);
  if ("problem" in endpoint) throw failed("invalid-input", `nothing can be started for ${backend.metadata.name}: ${endpoint.problem}`);
  return {
    backend: backend.metadata.name,
    port: endpoint.port,
    stopTimeout: backend.activation.stopTimeout,
    ...(stateFile === undefined ? {} : { stateFile }),
  };
}

/** True when a backend's engine listens on this machine with nothing before it, so that Holdfast can start and stop it. */
export function isHere(processes: Pick<EngineProcesses, "isLocal">, backend: Pick<Backend, "url">): boolean {
  const endpoint = endpointOf(backend);
  return !("problem" in endpoint) && processes.isLocal(endpoint.host);
}

/** The file that keeps the record of a backend. */
export function recordPath(paths: Pick<ActivationPaths, "records">, backend: string): string {
  return join(paths.records, `${backend}.json`);
}

/** The log of a model, as ImageWorks names it: `<type>/<name with / replaced by _>.log`. */
export function logPath(paths: Pick<ActivationPaths, "logs">, type: string, model: string): string {
  return join(paths.logs, type, `${model.replaceAll("/", "_")}.log`);
}

/** Says what a switch is doing. */
export function report({ host, id }: Job, phase: string): void {
  host.progress({ type: "progress", id, phase });
}

/** The reader of what a backend serves. */
export function readerOf({ host, place }: Job): ServingReader {
  const reader = host.serving.find((candidate) => candidate.backend === place.backend);
  if (reader === undefined) throw failed("unsupported", `nothing reads what ${place.backend} serves`);
  return reader;
}

/** What may be asked of the engine of a backend. */
export function engineOf({ host, place }: Job): ServingEngine {
  const engine = host.engines.find((candidate) => candidate.backend === place.backend);
  if (engine === undefined) throw failed("unsupported", `nothing talks to the engine of ${place.backend}`);
  return engine;
}

/** Leaders of the servers that a record speaks about and Holdfast started itself. */
export function leadersOf({ committed, pending }: ActivationRecord): readonly ActivationLeader[] {
  const started = [committed, pending?.phase === "loading" ? pending : undefined].filter((candidate) => candidate !== undefined);
  return started.filter(({ instance }) => instance !== adopted).map(({ leader }) => leader);
}

type ActivationLeader = Extract<ActivationRecord["pending"], { phase: "loading" }>["leader"];

/** Stands for the marker of a server that somebody else started. */
export const adopted = "adopted";
