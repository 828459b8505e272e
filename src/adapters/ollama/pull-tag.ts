import { failed, HoldfastError } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { requireRoom } from "./disk-room.ts";
import { keepReplaced } from "./keep-files.ts";
import { blobsOf, hasWeights, type ManifestDocument } from "./manifest-text.ts";
import { provePull } from "./prove-pull.ts";
import type { PullTask } from "./pull-attempts.ts";
import { manifestKind } from "./remote-holdings.ts";
import { ensureUnloaded } from "./unload.ts";
import { isRunnable } from "./verified-holding.ts";
import type { WriterSide } from "./writer-side.ts";

/** What a pull by tag starts from. */
export interface TagPull {
  /** Manifest digest that must be there afterwards. */
  readonly digest: string | undefined;
  readonly present: Holding | undefined;
}

/** Lets the server pull the tag after a look at what it is now. */
export async function pullTag(side: WriterSide, name: OllamaName, wanted: TagPull, context: WriteContext): Promise<Holding> {
  const { signal } = context;
  const { digest, present } = wanted;
  const ref = canonicalOllamaName(name);
  const offered = await requireMeantOffer(side, name, wanted, signal);
  const need = offered && (await requireRoom(side, ref, offered, signal));
  await rememberManifest(side, offered);
  if (present !== undefined && present.contentId !== (offered?.digest ?? digest)) {
    await ensureUnloaded(side, present, signal);
    await keepReplaced(side, { name, present, wanted: offered }, context);
  }
  const task: PullTask = { model: ref, insecure: side.insecure(name), total: need?.total };
  const holding = await provePull(side, task, { ref, digest, offered }, context);
  if (isRunnable(holding)) return holding;
  if (present === undefined) await side.api.remove(ref, signal);
  throw notRunnable(ref);
}

async function rememberManifest({ facts }: WriterSide, offered: ManifestDocument | undefined): Promise<void> {
  if (offered?.text !== undefined) await facts?.remember(manifestKind, new Map([[offered.digest, offered.text]]));
}

/**
 * What the tag is right now. Throws before anything is replaced when the tag has moved since it was planned, or has nothing to run.
 * Undefined when it cannot be seen from here: the server may reach registries that we do not.
 */
export async function requireMeantOffer(
  side: WriterSide,
  name: OllamaName,
  { digest, present }: TagPull,
  signal: AbortSignal,
): Promise<ManifestDocument | undefined> {
  const ref = canonicalOllamaName(name);
  const offered = await askRegistry(side, name, signal);
  if (offered === undefined) return undefined;
  if (!hasWeights(offered.content) && !isStub(offered)) throw notRunnable(ref);
  if (digest === undefined || digest === offered.digest || (present?.contentId === digest && sameLayers(present, offered))) return offered;
  throw failed("precondition", `the tag of ${ref} has moved: the registry now offers ${offered.digest}, the plan meant ${digest}`, {
    remedy: "plan again; `holdfast lock` pins the content so that it can be fetched although the tag has moved",
  });
}

async function askRegistry(side: WriterSide, name: OllamaName, signal: AbortSignal): Promise<ManifestDocument | undefined> {
  try {
    return await side.registry.manifest(name, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && error.failure.code !== "unsupported") return undefined;
    throw error;
  }
}

/** A cloud model has a config and no layers. */
function isStub({ content }: ManifestDocument): boolean {
  return content.kind === "image" && content.config !== undefined && content.layers.length === 0;
}

function sameLayers(present: Holding, { content }: ManifestDocument): boolean {
  if (content.kind !== "image") return false;
  const paths = new Set(present.artifacts.map((artifact) => artifact.path));
  const layers = blobsOf(content);
  return paths.size === layers.length && layers.every((layer) => paths.has(`sha256:${layer.sha256}`));
}

function notRunnable(ref: string): HoldfastError {
  return failed("unsupported", `${ref} has a manifest without weights: there is nothing to run in it`, {
    remedy: "check that the registry offers an Ollama model under this name, not some other image",
  });
}
