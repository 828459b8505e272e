import type { PullRequest } from "../../src/domain/action.ts";
import type { Artifact } from "../../src/domain/digest.ts";
import type { ModelReader, ModelWriter } from "../../src/ports/model-store.ts";

/** A small model that a fixture can put into its store and offer upstream. */
export interface SampleModel {
  readonly ref: string;
  /** What `Holding.artifacts` must list, with the true hashes. */
  readonly files: readonly Artifact[];
  /** Path of a file of at least 1 KiB that the other sample does not have. */
  readonly own: string;
  readonly pull: PullRequest;
}

/** The place that a writer fetches from, as far as the suite steers it. */
export interface SampleUpstream {
  /** Paths of the files whose bytes were sent since the last call. */
  sent(): readonly string[];
  /** From now on the sample's own file arrives with the right size and wrong bytes. */
  serveWrongBytes(sample: SampleModel): void;
  /** From now on the sample's own file stops in the middle, connection open. */
  hang(sample: SampleModel): void;
  /** Ends `serveWrongBytes` and `hang`. */
  mend(): void;
  /** Resolves as soon as a transfer hangs. */
  hanging(): Promise<void>;
  /** Resolves as soon as no transfer is open. */
  idle(): Promise<void>;
}

/** One store with everything a test needs to act on it from outside; made anew for every test. */
export interface ModelStoreFixture {
  readonly reader: ModelReader;
  /** Where it is given, both samples are offered upstream from the start. */
  readonly writer?: ModelWriter;
  readonly upstream?: SampleUpstream;
  readonly samples: readonly [SampleModel, SampleModel];
  /** Puts a sample into the store as another program would, not through the writer. */
  install(sample: SampleModel): Promise<void>;
  /** Absolute path of the regular file that holds the bytes of one file of a sample. */
  fileOf(sample: SampleModel, path: string): string;
  /** A reader like `reader` whose source is gone: server stopped, folder not there. */
  readerOfNothing(): Promise<ModelReader>;
  close(): Promise<void>;
}

/** What kind of store it is. */
export interface ModelStoreTraits {
  /** True when fixtures have `writer` and `upstream`. */
  readonly writable: boolean;
  /** False when the reader cannot open the bytes, only ask whether they exist. */
  readonly bytes: boolean;
  /** True when the store can give content a second name (`tag`); the new ref is made from the old one. */
  readonly secondName?: (ref: string) => string;
}

/** What one test works on. */
export interface Scene {
  readonly fixture: ModelStoreFixture;
  readonly first: SampleModel;
  readonly second: SampleModel;
  readonly signal: AbortSignal;
}

/** The writing side of a scene; for stores with the trait `writable`. */
export function writable({ fixture }: Scene): { readonly writer: ModelWriter; readonly upstream: SampleUpstream } {
  const { writer, upstream } = fixture;
  if (!writer || !upstream) throw new Error("a writable fixture needs `writer` and `upstream`");
  return { writer, upstream };
}
