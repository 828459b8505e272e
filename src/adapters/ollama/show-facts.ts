import { canonicalJson } from "../../domain/json.ts";
import type { ModelFacts } from "../../domain/observed.ts";
import type { StateStore } from "../../ports/state-store.ts";
import type { OllamaApi } from "./api.ts";
import { toFailure } from "../../domain/failure.ts";
import { mapBounded } from "./bounded.ts";
import { recordOf, textOf, type Unknowns } from "./decode.ts";
import { factsOfShow, trimShow } from "./model-facts.ts";
import type { ListedModel } from "./listing.ts";

/** The part of the state store that readers of servers use. */
export type FactMemory = Pick<StateStore, "remembered" | "remember">;

export interface ShowFacts {
  readonly byDigest: ReadonlyMap<string, ModelFacts>;
  readonly warnings: readonly string[];
}

const kind = "ollama-show";
const parallelShows = 6;
/** A server that fails this often is not asked further in this pass. */
const patience = 5;

/**
 * What `/api/show` says about each digest. It is asked once per digest and server version, because a newer server knows more about the same bytes;
 * everything else comes from memory.
 */
export async function learnShowFacts(api: OllamaApi, models: Iterable<ListedModel>, version: string | undefined, memory: FactMemory, signal: AbortSignal): Promise<ShowFacts> {
  const byDigest = new Map([...models].filter((model) => !model.stub).map((model) => [model.digest, model]));
  const remembered = await memory.remembered(kind, [...byDigest.keys()]);
  const facts = new Map<string, ModelFacts>();
  for (const [digest, text] of remembered) {
    const entry = recordOf(parsed(text));
    if (version === undefined || textOf(entry["version"]) === version) facts.set(digest, factsOfShow(recordOf(entry["show"])));
  }
  const failures: string[] = [];
  const learned = new Map<string, string>();
  const unknown = [...byDigest.values()].filter((model) => !facts.has(model.digest));
  await mapBounded(unknown, parallelShows, async (model) => {
    if (failures.length >= patience) return;
    const show = await showOf(api, model, failures, signal);
    if (show === undefined) return;
    const trimmed = trimShow(show);
    facts.set(model.digest, factsOfShow(trimmed));
    learned.set(model.digest, canonicalJson({ show: trimmed, version: version ?? "unknown" }));
  });
  if (learned.size > 0) await memory.remember(kind, learned);
  return { byDigest: facts, warnings: failures };
}

async function showOf(api: OllamaApi, model: ListedModel, failures: string[], signal: AbortSignal): Promise<Unknowns | undefined> {
  try {
    return await api.show(model.ref, signal);
  } catch (error) {
    signal.throwIfAborted();
    failures.push(`the facts of ${model.ref} are incomplete: ${toFailure(error).message}`);
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
