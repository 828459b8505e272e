import { canonicalJson } from "../../domain/json.ts";
import type { ModelFacts } from "../../domain/observed.ts";
import type { StateStore } from "../../ports/state-store.ts";
import type { OllamaApi } from "./api.ts";
import { toFailure } from "../../domain/failure.ts";
import { mapBounded } from "./bounded.ts";
import { countOf, isRecord, recordOf, textOf, type Unknowns } from "./decode.ts";
import { factsOfShow, trimShow } from "./model-facts.ts";
import type { ListedModel } from "./listing.ts";

/** The part of the state store that readers of servers use. */
export type FactMemory = Pick<StateStore, "remembered" | "remember">;

/** Whose facts are wanted, and of which server version. */
export interface ShowQuestion {
  readonly models: Iterable<ListedModel>;
  readonly version: string | undefined;
}

export interface ShowFacts {
  readonly byDigest: ReadonlyMap<string, ModelFacts>;
  readonly warnings: readonly string[];
}

const kind = "ollama-show";
const parallelShows = 6;
/** A server that does not answer this often is not asked further in this pass. */
const patience = 3;
/**
 * A server with very many models looks at all of them for every question, so one pass asks only for so long and the next one goes on. Newer servers
 * list capabilities and context length themselves; what is then left to learn may wait longer.
 */
const timeForShows = { needed: 30_000, rest: 3_000 };
/** How long a refusal is taken for the answer: a damaged model is refused until somebody repairs it. */
const refusalLasts = 600_000;

type Remembered =
  | { readonly state: "known"; readonly facts: ModelFacts }
  | { readonly state: "refused"; readonly message: string }
  | { readonly state: "unknown" };

/**
 * What `/api/show` says about each digest. It is asked once per digest and server version, because a newer server knows more about the same bytes;
 * everything else comes from memory.
 */
export async function learnShowFacts(api: OllamaApi, { models, version }: ShowQuestion, memory: FactMemory, signal: AbortSignal): Promise<ShowFacts> {
  const byDigest = new Map([...models].filter((model) => !model.stub).map((model) => [model.digest, model]));
  const texts = await memory.remembered(kind, [...byDigest.keys()]);
  const answers = new Map([...byDigest.keys()].map((digest) => [digest, recall(texts.get(digest), version)]));
  const unknown = [...byDigest.values()].filter((model) => answers.get(model.digest)?.state === "unknown");
  const learned = await askAll(api, unknown, signal);
  const entries = [...learned].flatMap(([digest, answer]) =>
    answer.entry === undefined ? [] : [[digest, canonicalJson({ ...answer.entry, version: version ?? "unknown" })] as const],
  );
  if (entries.length > 0) await memory.remember(kind, new Map(entries));
  for (const [digest, answer] of learned) answers.set(digest, answer);
  const unasked = unknown.length - learned.size;
  return {
    byDigest: new Map([...answers].flatMap(([digest, answer]) => (answer.state === "known" ? [[digest, answer.facts] as const] : []))),
    warnings: [
      ...[...answers.values()].flatMap((answer) => (answer.state === "refused" ? [answer.message] : [])),
      ...(unasked === 0 ? [] : [`the facts of ${unasked} models were not asked for in this pass`]),
    ],
  };
}

function recall(text: string | undefined, version: string | undefined): Remembered {
  const entry = recordOf(text === undefined ? undefined : parsed(text));
  if (version !== undefined && textOf(entry["version"]) !== version) return { state: "unknown" };
  if (isRecord(entry["show"])) return { state: "known", facts: factsOfShow(entry["show"]) };
  const isFresh = Date.now() - (countOf(entry["refusedAt"]) ?? 0) < refusalLasts;
  return isFresh ? { state: "refused", message: textOf(entry["message"]) ?? "" } : { state: "unknown" };
}

/** `entry` is what is worth remembering of the answer. */
type Learned = Remembered & { readonly entry?: Unknowns };

async function askAll(api: OllamaApi, models: readonly ListedModel[], signal: AbortSignal): Promise<ReadonlyMap<string, Learned>> {
  const learned = new Map<string, Learned>();
  const start = performance.now();
  let unanswered = 0;
  const neededFirst = [...models.filter(isPoor), ...models.filter((model) => !isPoor(model))];
  await mapBounded(neededFirst, parallelShows, async (model) => {
    const time = isPoor(model) ? timeForShows.needed : timeForShows.rest;
    if (unanswered >= patience || performance.now() - start > time) return;
    const answer = await ask(api, model, signal);
    if (answer.state === "refused" && answer.entry === undefined) unanswered += 1;
    learned.set(model.digest, answer);
  });
  return learned;
}

function isPoor({ facts }: ListedModel): boolean {
  return facts.contextLength === undefined || Object.keys(facts.capabilities).length === 0;
}

async function ask(api: OllamaApi, model: ListedModel, signal: AbortSignal): Promise<Learned> {
  try {
    const show = trimShow(await api.show(model.ref, signal));
    return { state: "known", facts: factsOfShow(show), entry: { show } };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message: reason } = toFailure(error);
    const message = `the facts of ${model.ref} are incomplete: ${reason}`;
    const isAnswer = code === "upstream" || code === "not-found";
    return { state: "refused", message, ...(isAnswer ? { entry: { message, refusedAt: Date.now() } } : {}) };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
