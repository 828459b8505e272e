import type { Sha256 } from "../digest.ts";
import type { Failure } from "../failure.ts";
import type { StoreId } from "../observed.ts";
import type { Instant, Milliseconds } from "../resource.ts";

/** One process, told from any later one that gets the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time in clock ticks since boot, `<boot id>:<ticks>`. */
  readonly started: string;
}

/** A live process as the system shows it. Zombies are not live. */
export interface ProcessFacts extends ProcessIdentity {
  readonly parent: number;
  readonly group: number;
  /** Number of the session, which is that of the process that opened it. */
  readonly session: number;
  readonly startedAt: Instant;
  /** Arguments, the program first; a program may overwrite them with a title. */
  readonly command: readonly string[];
  /** Value of the marker variable, when the process carries one. */
  readonly instance?: string;
}

/** What one single-port backend is to run: complete, so that it can be started again without its manifest. */
export interface ServingTarget {
  readonly model: string;
  readonly servedId: string;
  /** What `root` in `/v1/models` must be; undefined where the engine does not say. */
  readonly root?: string;
  /** Where its bytes are; undefined for a server that somebody else started. */
  readonly source?: { readonly store: StoreId; readonly ref: string };
  /** Hub commit, locked content digest, or a digest over paths and sizes: known at every level of verification. */
  readonly content: string;
  /** Over the hash of every file; known only when every file was hashed. */
  readonly contentDigest?: Sha256;
  /** The program and its arguments. */
  readonly argv: readonly string[];
  /** Declared variables only. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute paths that must exist before it is started. */
  readonly files: readonly string[];
  /** SHA-256 over model, content, arguments and variables. */
  readonly digest: Sha256;
}

/** A target that was started and proven to serve. */
export interface Activated {
  readonly target: ServingTarget;
  readonly instance: string;
  readonly leader: ProcessIdentity;
  readonly port: number;
  readonly log: string;
  readonly spawnedAt: Instant;
  readonly committedAt: Instant;
  /** GPU memory in use before it was started, in MiB by GPU index. */
  readonly gpuBaseline?: Readonly<Record<string, number>>;
}

/** Why a transaction runs: to serve something else, to put the previous model back, or to serve nothing. */
export type TransactionPurpose = "switch" | "restore" | "stop";

/** How far a transaction got; each member is on disk before the step it names is taken. */
export type Transaction =
  | { readonly phase: "stopping"; readonly purpose: TransactionPurpose; readonly since: Instant; readonly target?: ServingTarget }
  | {
      readonly phase: "starting";
      readonly purpose: Exclude<TransactionPurpose, "stop">;
      readonly since: Instant;
      readonly target: ServingTarget;
      readonly instance: string;
      readonly log: string;
      readonly gpuBaseline?: Readonly<Record<string, number>>;
    }
  | {
      readonly phase: "loading";
      readonly purpose: Exclude<TransactionPurpose, "stop">;
      readonly since: Instant;
      readonly target: ServingTarget;
      readonly instance: string;
      readonly leader: ProcessIdentity;
      readonly log: string;
      readonly spawnedAt: Instant;
      readonly gpuBaseline?: Readonly<Record<string, number>>;
    };

/** Failed starts of one target. */
export interface Attempts {
  readonly digest: Sha256;
  readonly contentDigest?: Sha256;
  readonly failures: number;
  readonly lastFailedAt: Instant;
  readonly reason: string;
  /** Last lines of the log. */
  readonly lines: readonly string[];
}

/** Whether a backend serves what it should, as of its last transaction. */
export interface ActiveCondition {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: "Serving" | "StartFailed" | "RollbackFailed" | "Stopped";
  readonly message: string;
  readonly at: Instant;
}

/** How long one model took to start, and how long nothing was served meanwhile. */
export interface SwitchTiming {
  readonly model: string;
  readonly start: Milliseconds;
  readonly withoutService: Milliseconds;
}

/** Everything Holdfast remembers about one single-port backend. Kept in a file of its own, so that it outlives the state database. */
export interface ActivationRecord {
  readonly formatVersion: "1.0";
  readonly backend: string;
  readonly port: number;
  /** Time to stop, for when the backend has left the manifests. */
  readonly stopTimeout: Milliseconds;
  /** What was proven last; while a switch runs, the previous one. */
  readonly committed?: Activated;
  readonly pending?: Transaction;
  readonly attempts: readonly Attempts[];
  readonly condition?: ActiveCondition;
  readonly timings: readonly SwitchTiming[];
}

/** The record of a backend that was never activated. */
export function emptyRecord(backend: string, port: number, stopTimeout: Milliseconds): ActivationRecord {
  return { formatVersion: "1.0", backend, port, stopTimeout, attempts: [], timings: [] };
}

/** What stands behind one single-port backend right now, beside what its endpoint answers. */
export type ActivationObservation =
  | {
      readonly state: "observed";
      readonly backend: string;
      readonly record: ActivationRecord;
      /** Why a record that exists could not be read; the record is the empty one then. */
      readonly recordProblem?: string;
      /** Live processes of ours for this backend, all instances. */
      readonly ours: readonly ProcessFacts[];
      /** Whether the state file says what the record says; undefined when it speaks about another backend. */
      readonly stateFile?: "current" | "stale" | "absent";
      /** Somebody listens on the port. */
      readonly listening: boolean;
      /** Live processes that listen on the port or were told to, and are not ours. */
      readonly strangers: readonly ProcessFacts[];
    }
  /** Its endpoint is not on this machine, or something stands before it: nothing can be started or stopped there. */
  | { readonly state: "elsewhere"; readonly backend: string }
  | { readonly state: "unknown"; readonly backend: string; readonly failure: Failure };

/** True when two targets are the same bytes served in the same way; hashes count only where both are known. */
export function sameTarget(a: Pick<ServingTarget, "digest" | "contentDigest">, b: Pick<ServingTarget, "digest" | "contentDigest">): boolean {
  return a.digest === b.digest && (a.contentDigest === undefined || b.contentDigest === undefined || a.contentDigest === b.contentDigest);
}

/** True when two identities are one process. */
export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.started === b.started;
}

/** True when the process that was started for an instance is still alive; its children alone do not count. */
export function leaderLives(started: Pick<Activated, "leader">, processes: readonly ProcessFacts[]): boolean {
  return processes.some((candidate) => sameProcess(candidate, started.leader));
}
