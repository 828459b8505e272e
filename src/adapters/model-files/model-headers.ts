import type { ModelHeaders } from "../../ports/model-headers.ts";
import { inspectModelFolder } from "./model-folder.ts";
import { inspectWeightsFile } from "./weights-file.ts";

/** No header in the wild takes longer, even on a network file system. */
const timeoutMs = 5_000;

/**
 * Our own readers instead of `@huggingface/gguf`: that library keeps every token of a vocabulary (some 165 MB for a large one) and does not compare
 * tensor offsets with the length of the file, which is the check that matters here.
 */
export function createModelHeaders(): ModelHeaders {
  return {
    inspectFile: (path, signal) => inspectWeightsFile(path, signal, timeoutMs),
    inspectFolder: (path, files, signal) => {
      return inspectModelFolder({ path, files, signal, inspect: (file) => inspectWeightsFile(file, signal, timeoutMs) });
    },
  };
}
