import type { Holding, ObservedArtifact } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { setAsideBadBlobs } from "./bad-blobs.ts";
import { runPull, type PullTask } from "./pull-attempts.ts";
import { badArtifacts, badFiles, lookAtPulled, type Expectation } from "./verified-holding.ts";
import { isReadable, type WriterSide } from "./writer-side.ts";

/**
 * Lets the server pull, then looks. Files that are wrong are fetched once more, because a damaged leftover is taken for good by the first try.
 */
export async function provePull(side: WriterSide, task: PullTask, expectation: Expectation, context: WriteContext): Promise<Holding> {
  const { signal } = context;
  await runPull(side, task, context);
  const first = await lookAtPulled(side, expectation, signal);
  const bad = badArtifacts(first);
  if (bad.length === 0) return first;
  if (isReadable(side, first)) await setAside(side, first, bad, signal);
  context.progress({ type: "note", id: context.id, message: `${expectation.ref} is not whole after the pull, fetching what is bad once more` });
  await runPull(side, task, context);
  const second = await lookAtPulled(side, expectation, signal);
  const stillBad = badArtifacts(second);
  if (stillBad.length === 0) return second;
  if (isReadable(side, second)) await setAside(side, second, stillBad, signal);
  throw badFiles(second, stillBad);
}

async function setAside(side: WriterSide, holding: Holding, bad: readonly ObservedArtifact[], signal: AbortSignal): Promise<void> {
  await setAsideBadBlobs(
    side,
    holding.ref,
    bad.map((artifact) => artifact.path.replace("sha256:", "")),
    signal,
  );
}
