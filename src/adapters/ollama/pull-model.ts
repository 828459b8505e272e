import type { OllamaPull } from "../../domain/action.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { pullPinned } from "./pull-pinned.ts";
import { pullTag } from "./pull-tag.ts";
import { hasUnknownLayers } from "./remote-holdings.ts";
import { badArtifacts } from "./verified-holding.ts";
import type { WriterSide } from "./writer-side.ts";

/** Brings the model to the server and proves what arrived; a model that is there and proven is left alone. */
export async function pullModel(side: WriterSide, name: OllamaName, request: OllamaPull, context: WriteContext): Promise<Holding> {
  const ref = canonicalOllamaName(name);
  const present = await presentHolding(side, ref, request.digest, context.signal);
  if (present?.isWhole === true) return present.holding;
  return request.pin === undefined
    ? pullTag(side, name, { digest: request.digest, present: present?.holding }, context)
    : pullPinned(side, name, request.pin, context);
}

interface Present {
  readonly holding: Holding;
  /** It is the wanted content and every file of it was proven. */
  readonly isWhole: boolean;
}

async function presentHolding(side: WriterSide, ref: string, digest: string | undefined, signal: AbortSignal): Promise<Present | undefined> {
  const seen = await side.reader.inspect(ref, "presence", signal);
  if (seen === undefined || "failure" in seen) return undefined;
  const isCandidate = seen.contentId === digest && !hasUnknownLayers(seen) && badArtifacts(seen).length === 0;
  if (!isCandidate) return { holding: seen, isWhole: false };
  const proven = await side.reader.inspect(ref, "full", signal);
  if (proven === undefined || "failure" in proven) return undefined;
  return { holding: proven, isWhole: badArtifacts(proven).length === 0 };
}
