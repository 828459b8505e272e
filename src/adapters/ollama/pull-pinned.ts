import type { OllamaPin } from "../../domain/action.ts";
import { failed } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { requireRefetchable } from "./bad-blobs.ts";
import { requireRoom } from "./disk-room.ts";
import { decodeListing } from "./listing.ts";
import { readManifest, type ManifestDocument } from "./manifest-text.ts";
import { readListedName } from "./names.ts";
import { startPinServer } from "./pin-server.ts";
import { provePull } from "./prove-pull.ts";
import { manifestKind } from "./remote-holdings.ts";
import { ensureUnloaded } from "./unload.ts";
import { badArtifacts, badFiles, isRunnable, lookAtPulled } from "./verified-holding.ts";
import type { WriterSide } from "./writer-side.ts";

interface PinnedPull {
  readonly pin: OllamaPin;
  readonly present: Holding | undefined;
}

/** Namespace of the names that exist only while a pinned pull runs. */
const helperNamespace = "holdfast-pin";
const cleanUpTime = 30_000;
const staleAfter = 3_600_000;

/**
 * Fetches the locked manifest under a helper name, proves every byte of it, and only then gives it the wanted name. Until that moment the model
 * that is there stays as it is, and loaded. The helper name goes in any case.
 */
export async function pullPinned(side: WriterSide, name: OllamaName, { pin, present }: PinnedPull, context: WriteContext): Promise<Holding> {
  const { signal } = context;
  const ref = canonicalOllamaName(name);
  const manifest = requirePin(ref, pin);
  const { total, absent } = await requireRoom(side, ref, manifest, signal);
  // Ollama tries for minutes to fetch a blob that is gone.
  const digests = absent.map((layer) => layer.sha256);
  await requireRefetchable(side, name, digests, signal);
  await side.facts?.remember(manifestKind, new Map([[pin.digest, pin.manifest]]));
  const server = await startPinServer(side, name, manifest);
  const helper = `${server.host}/${helperNamespace}/${pin.digest.slice(0, 12)}:new`;
  try {
    await removeStaleHelpers(side, signal);
    const fetched = await provePull(side, { model: helper, insecure: true, total }, { ref: helper, digest: pin.digest, offered: manifest }, context);
    if (!isRunnable(fetched)) throw failed("unsupported", `the locked manifest of ${ref} has no weights: there is nothing to run in it`);
    await giveName(side, { ref, helper, present, pin }, signal);
    const holding = await lookAtPulled(side, { ref, digest: pin.digest, offered: manifest }, signal);
    const bad = badArtifacts(holding);
    if (bad.length > 0) throw badFiles(holding, bad);
    return holding;
  } finally {
    await server.close();
    await removeHelper(side, helper);
  }
}

interface Naming extends PinnedPull {
  readonly ref: string;
  readonly helper: string;
}

/** A copy over a name leaves the replaced layers behind until the next server start; under a name of their own they can be deleted. */
async function giveName(side: WriterSide, { ref, helper, present, pin }: Naming, signal: AbortSignal): Promise<void> {
  if (present === undefined || present.contentId === pin.digest) return side.api.copy(helper, ref, signal);
  const replaced = helper.replace(/:new$/, ":old");
  await ensureUnloaded(side, present, signal);
  try {
    await side.api.copy(ref, replaced, signal);
    await side.api.copy(helper, ref, signal);
  } finally {
    await removeHelper(side, replaced);
  }
}

function requirePin(ref: string, pin: OllamaPin): ManifestDocument & { readonly text: string } {
  const manifest = readManifest(Buffer.from(pin.manifest));
  if (manifest.digest === pin.digest && manifest.content.kind === "image") return { ...manifest, text: pin.manifest };
  throw failed("integrity", `the locked manifest of ${ref} does not have its own digest ${pin.digest}`, { remedy: "restore the lock file from Git" });
}

/** Also when the pull was aborted: the clean-up has a time limit of its own. */
async function removeHelper(side: WriterSide, helper: string): Promise<void> {
  await side.api.remove(helper, AbortSignal.timeout(cleanUpTime)).catch(() => false);
}

/** Names that a killed process left. */
async function removeStaleHelpers(side: WriterSide, signal: AbortSignal): Promise<void> {
  const { models } = decodeListing(await side.api.tags(signal));
  for (const { ref, modifiedAt } of models) {
    const isOurs = readListedName(ref)?.namespace === helperNamespace;
    const isOld = modifiedAt !== undefined && Date.now() - Date.parse(modifiedAt) > staleAfter;
    if (isOurs && isOld) await side.api.remove(ref, signal);
  }
}
