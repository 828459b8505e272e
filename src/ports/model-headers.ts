import type { Failure } from "../domain/failure.ts";
import type { ModelFacts } from "../domain/observed.ts";

/** What the header of a weights file says. `malformed`: the file must not be handed to any server. */
export type HeaderFinding =
  | { readonly state: "understood"; readonly facts: ModelFacts }
  | { readonly state: "malformed"; readonly failure: Failure }
  | { readonly state: "other" };

/** Reads headers of GGUF and safetensors files with hard limits on time, memory and counts. */
export interface ModelHeaders {
  /** By magic bytes, not by name; `other` for anything that is neither. */
  inspectFile(path: string, signal: AbortSignal): Promise<HeaderFinding>;
  /** Facts of a whole folder: `config.json`, `tokenizer_config.json`, shard index, first weights file; never follows a link out of the folder's store. */
  inspectFolder(path: string, files: readonly string[], signal: AbortSignal): Promise<HeaderFinding>;
}
