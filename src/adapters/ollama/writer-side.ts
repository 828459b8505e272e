import type { Dispatcher } from "undici";
import type { Holding, StoreId } from "../../domain/observed.ts";
import type { OllamaName } from "../../domain/ollama-name.ts";
import type { Disk } from "../../ports/disk.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ModelReader } from "../../ports/model-store.ts";
import type { OllamaApi } from "./api.ts";
import type { OneAtATime } from "./one-at-a-time.ts";
import type { RegistryClient } from "./registry-client.ts";
import type { RetryOptions } from "./retrying.ts";
import type { FactMemory } from "./show-facts.ts";

/** Where the short-lived server for pinned manifests listens, when the Ollama server is not on this machine. */
export interface PinListen {
  /** Local address to bind. */
  readonly host: string;
  /** Host name under which the Ollama server reaches this machine; default `host`. */
  readonly advertise?: string;
}

export interface OllamaWriterOptions {
  readonly store: StoreId;
  readonly url: string;
  /** The server's models directory, when this process can read and write it. */
  readonly directory?: string;
  /** A reader of the same server: what it says after a change is what counts. */
  readonly reader: ModelReader;
  readonly disk: Disk;
  readonly hasher: FileHasher;
  /** No new byte for this long ends an attempt. */
  readonly stallTimeoutMs: number;
  /** Pulls go over plain HTTP (Ollama's `insecure`), except from the public registries. */
  readonly insecureRegistry?: boolean;
  readonly pinListen?: PinListen;
  /** Receives manifest texts, so that a server whose files cannot be read can be asked for its blobs. */
  readonly facts?: FactMemory;
  readonly retry?: RetryOptions;
  /** Longest wait for a model to leave memory; default 60 s. */
  readonly unloadTimeoutMs?: number;
  /** Longest wait for one answer; default 40 s. */
  readonly timeoutMs?: number;
  readonly dispatcher?: Dispatcher;
}

/** What the operations of one writer share. */
export interface WriterSide extends OllamaWriterOptions {
  readonly api: OllamaApi;
  readonly registry: RegistryClient;
  readonly retry: RetryOptions;
  readonly unloadTimeoutMs: number;
  readonly insecure: (name: OllamaName) => boolean;
  /** Two callers who want the same model share its download: the second one waits and finds it there. */
  readonly oneAtATime: OneAtATime;
}

/** True when the holding was read from the writer's own directory, so that the files there are this server's. */
export function isReadable(side: WriterSide, holding: Pick<Holding, "location"> | undefined): boolean {
  return side.directory !== undefined && holding?.location?.startsWith(side.directory) === true;
}
