import type { Milliseconds } from "../domain/resource.ts";

/** Asks a serving engine for more than what it serves. */
export interface ServingEngine {
  readonly backend: string;
  /** Requests that are being answered or wait, or undefined where the engine does not tell. */
  inFlight(signal: AbortSignal): Promise<number | undefined>;
  /** Lets the model answer with one token; throws HoldfastError when it does not within the time. */
  generateOne(servedId: string, timeout: Milliseconds, signal: AbortSignal): Promise<void>;
}

/** A piece of a text file that somebody writes to. */
export interface GrowingText {
  readonly text: string;
  /** Position of the first byte that was not read. */
  readonly next: number;
  /** Identity of the file: another one when it was replaced. */
  readonly file: string;
}

/** Files of an activation: its record, the state file, its log. */
export interface ActivationFiles {
  /** Undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** Durable when it returns. Only this user can read it when `private`. */
  write(path: string, text: string, access: "private" | "shared"): Promise<void>;
  /** Already absent is success. */
  remove(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** What a growing text file has from a position on (negative = counted from its end), at most 1 MiB at once; undefined when there is none. */
  readFrom(path: string, position: number): Promise<GrowingText | undefined>;
  /** The last bytes of a text file, or an empty text when there is none. */
  tail(path: string, bytes: number): Promise<string>;
  /** Names of the files in a folder; none when it is not there. */
  list(folder: string): Promise<readonly string[]>;
}

/** Memory of one GPU in MiB. */
export interface GpuMemory {
  readonly index: string;
  readonly used: number;
  readonly total: number;
}

/** What a process has of a GPU, in MiB. */
export interface GpuUse {
  readonly pid: number;
  readonly used: number;
}

/** Reads GPU memory where a tool for it exists. */
export interface GpuMeter {
  /** Undefined without a GPU, or when the tool does not answer. */
  read(signal: AbortSignal): Promise<{ readonly gpus: readonly GpuMemory[]; readonly uses: readonly GpuUse[] } | undefined>;
}
