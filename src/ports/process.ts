import type { ProcessFacts, ProcessIdentity } from "../domain/activation/activation.ts";
import type { Instant, Milliseconds } from "../domain/resource.ts";

/** A program to start in a session and group of its own. No shell: every argument arrives byte for byte. */
export interface StartRequest {
  /** Absolute path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  /** Declared variables; the host's are added by the allow-list only, the marker always. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Marker that the program and everything it starts will carry. */
  readonly instance: string;
  /** Absolute path of the file that takes stdout and stderr; an older one is kept as `<log>.1`. */
  readonly log: string;
}

/** How a process that was started from here ended. */
export interface ProcessExit {
  readonly code?: number;
  readonly signal?: string;
}

/** Which processes belong together. */
export type ProcessSet =
  /** Everything whose marker starts with the scope, and every session that one of the leaders opened. */
  | {
      readonly kind: "marked";
      readonly scope: string;
      readonly leaders: readonly ProcessIdentity[];
      /** This instance is left out. */ readonly except?: string;
    }
  /** Processes that somebody else started, and their descendants. */
  | { readonly kind: "trees"; readonly roots: readonly ProcessIdentity[] };

/** How patiently to stop. */
export interface StopRequest {
  readonly set: ProcessSet;
  /** Until what is left is killed; half of it belongs to the leaders alone, so that they can finish what they are doing. */
  readonly timeout: Milliseconds;
}

/** Who has a port; processes of other users may be missing. */
export interface PortHolders {
  /** Somebody listens on it, known or not. */
  readonly listening: boolean;
  readonly listeners: readonly ProcessFacts[];
  /** Live engines that were started with it as an argument and do not listen (yet). */
  readonly told: readonly ProcessFacts[];
}

/** Starts, finds and stops the processes of serving engines on this machine. */
export interface EngineProcesses {
  /** A new marker value, unique, that starts with `<scope>.`. */
  newInstance(scope: string): string;
  /** The file that a command names, looked up like a shell would; throws HoldfastError `not-found` or `permission`. */
  resolveProgram(command: string, folder: string): Promise<string>;
  /** Resolves once the program runs, without waiting for it; throws HoldfastError when it cannot be run. The process outlives this one. */
  start(request: StartRequest): Promise<{ readonly leader: ProcessIdentity; readonly at: Instant }>;
  /** Every live process, for looking at several sets or ports at once. Throws HoldfastError `unsupported` where processes cannot be looked at. */
  all(): readonly ProcessFacts[];
  /** Live members of a set, among all that live now or lived when `all` was asked. Throws HoldfastError `unsupported` where processes cannot be looked at. */
  find(set: ProcessSet, among?: readonly ProcessFacts[]): readonly ProcessFacts[];
  isAlive(leader: ProcessIdentity): boolean;
  /** How a program that is not alive any more ended; undefined when it was not started from here. */
  exitOf(leader: ProcessIdentity): Promise<ProcessExit | undefined>;
  /** Facts of whatever lives under a number now. */
  look(pid: number): ProcessFacts | undefined;
  /** TERM to the leaders, then to all, then KILL; waits until every member is gone. Returns what could not be stopped. */
  stop(request: StopRequest): Promise<readonly ProcessFacts[]>;
  holdersOf(port: number, among?: readonly ProcessFacts[]): PortHolders;
  /** True for addresses that an engine on this machine can listen on. */
  isLocal(host: string): boolean;
  /** Makes sure that one switch at a time concerns a port, whichever project it belongs to; throws HoldfastError `conflict`. The result releases it. */
  lockPort(port: number): Promise<() => void>;
}
