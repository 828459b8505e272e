import type { ServingObservation } from "../domain/observed.ts";

/** Reads what one serving endpoint (vLLM, LMDeploy, any OpenAI-compatible server) serves right now. */
export interface ServingReader {
  readonly backend: string;
  /** Never throws for expected failures. A refused connection is `down`; no answer in time is `unknown`. */
  observe(signal: AbortSignal): Promise<ServingObservation>;
}
