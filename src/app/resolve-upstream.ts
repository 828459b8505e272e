import { toFailure } from "../domain/failure.ts";
import type { UpstreamQuestion } from "../domain/plan/upstream-questions.ts";
import type { Upstream, UpstreamState } from "../domain/upstream.ts";
import type { ArtifactHub } from "../ports/artifact-hub.ts";

/** Metadata requests that are under way at once. */
const parallel = 8;

/** Asks registries and hubs; a failing answer is data and hides no other. */
export async function resolveUpstream(
  questions: readonly UpstreamQuestion[],
  hubs: readonly ArtifactHub[],
  signal: AbortSignal,
): Promise<UpstreamState> {
  const waiting = [...questions];
  const answers: (readonly [string, Upstream])[] = [];
  const worker = async (): Promise<void> => {
    for (let question = waiting.shift(); question !== undefined; question = waiting.shift())
      answers.push([question.key, await ask(question, hubs, signal)]);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, questions.length) }, worker));
  signal.throwIfAborted();
  return Object.fromEntries(answers);
}

async function ask({ key: _key, ...query }: UpstreamQuestion, hubs: readonly ArtifactHub[], signal: AbortSignal): Promise<Upstream> {
  const hub = hubs.find((candidate) => candidate.kind === query.source.kind);
  if (hub === undefined)
    return { state: "failed", failure: { code: "unsupported", retry: "terminal", message: `no hub for ${query.source.kind} models` } };
  try {
    return await hub.resolve(query, signal);
  } catch (error) {
    return { state: "failed", failure: toFailure(error) };
  }
}
