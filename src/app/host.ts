import type { DesiredState } from "../domain/desired.ts";
import type { Memory } from "../domain/inventory.ts";
import type { LockFile } from "../domain/lock.ts";
import type { Holding } from "../domain/observed.ts";
import type { PlanOptions } from "../domain/plan/plan-input.ts";
import type { DecodeOptions } from "../manifest/decode-context.ts";
import type { ArtifactHub } from "../ports/artifact-hub.ts";
import type { Clock } from "../ports/clock.ts";
import type { InstanceLock } from "../ports/instance-lock.ts";
import type { ModelRuntime } from "../ports/model-runtime.ts";
import type { ModelReader, ModelWriter } from "../ports/model-store.ts";
import type { OutputFiles } from "../ports/output-files.ts";
import type { ProjectSource } from "../ports/project-source.ts";
import type { ServingReader } from "../ports/serving-backend.ts";
import type { ServingEngine } from "../ports/serving-engine.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { ServingMachine } from "./activation/activation-host.ts";

/** The outside systems that a desired state speaks about, connected. */
export interface Connections {
  readonly readers: readonly ModelReader[];
  readonly writers: readonly ModelWriter[];
  /** The memory of servers that load models on demand. */
  readonly runtimes: readonly ModelRuntime[];
  readonly hubs: readonly ArtifactHub[];
  readonly serving: readonly ServingReader[];
  readonly engines: readonly ServingEngine[];
  readonly machine: ServingMachine;
}

/** Absolute paths that use cases write to. */
export interface OutputPaths {
  readonly root: string;
  readonly manifests: string;
  readonly lock: string;
  /** Folder of the three registry files. */
  readonly registry: string;
  /** Folder of drift-report.json and drift-report.md. */
  readonly reports: string;
}

/** What a connection is for: `disk` looks at Ollama stores on disk where it can, so that gates need no server. */
export type Purpose = "server" | "disk";

/** Everything a use case needs of the machine it runs on. */
export interface Host {
  readonly name: string;
  readonly toolVersion: string;
  readonly paths: OutputPaths;
  readonly decode: DecodeOptions;
  readonly planDefaults: PlanOptions;
  readonly includeTesting: boolean;
  /** Actions that run at once, over all stores. */
  readonly concurrency: number;
  readonly project: ProjectSource;
  readonly state: StateStore;
  readonly lock: InstanceLock;
  readonly outputs: OutputFiles;
  readonly clock: Clock;
  readonly nameFor: (holding: Holding, taken: ReadonlySet<string>) => string;
  /** Adds the Ollama backend of the settings when the manifests declare none and the memory knows models there, or when it is wanted in any case. */
  withDefaults(desired: DesiredState, needed: Memory | "always"): DesiredState;
  /** The memory names folders that left the manifests and still have to be looked at; the lock knows manifests that a remote server does not show. */
  connect(desired: DesiredState, purpose: Purpose, known: { readonly memory: Memory; readonly lock: LockFile }): Promise<Connections>;
}
