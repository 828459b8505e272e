import type { OllamaPin } from "../../domain/action.ts";
import { failed } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { requireRefetchable } from "./bad-blobs.ts";
import { requireRoom } from "./disk-room.ts";
import { helperNameFor, replacedNameFor } from "./helper-names.ts";
import { keepReplaced } from "./keep-files.ts";
import { readManifest, type ManifestDocument } from "./manifest-text.ts";
import { startPinServer } from "./pin-server.ts";
import { provePull } from "./prove-pull.ts";
import { manifestKind } from "./remote-holdings.ts";
import { removeHelpers } from "./stale-helpers.ts";
import { ensureUnloaded } from "./unload.ts";
import { badArtifacts, badFiles, isRunnable, lookAtPulled } from "./verified-holding.ts";
import type { WriterSide } from "./writer-side.ts";

/**
 * Fetches the locked manifest under a helper name, proves every byte of it, and only then gives it the wanted name. Until that moment the model
 * that is there stays as it is, and loaded. The helper name goes in any case.
 */
export async function pullPinned(side: WriterSide, name: OllamaName, pin: OllamaPin, context: WriteContext): Promise<Holding> {
  const { signal } = context;
  const ref = canonicalOllamaName(name);
  const manifest = requirePin(ref, pin);
  const { total, absent } = await requireRoom(side, ref, manifest, signal);
  // Ollama tries for minutes to fetch a blob that is gone.
  const digests = absent.map((layer) => layer.sha256);
  await requireRefetchable(side, name, digests, signal);
  await side.facts?.remember(manifestKind, new Map([[pin.digest, pin.manifest]]));
  const server = await startPinServer(side, name, manifest);
  const helper = helperNameFor(server.host, pin.digest);
  try {
    const fetched = await provePull(side, { model: helper, insecure: true, total }, { ref: helper, digest: pin.digest, offered: manifest }, context);
    if (!isRunnable(fetched)) throw failed("unsupported", `the locked manifest of ${ref} has no weights: there is nothing to run in it`);
    await giveName(side, { name, helper, manifest }, context);
    const holding = await lookAtPulled(side, { ref, digest: pin.digest, offered: manifest }, signal);
    const bad = badArtifacts(holding);
    if (bad.length > 0) throw badFiles(holding, bad);
    return holding;
  } finally {
    await server.close();
    await removeHelpers(side, [helper]);
  }
}

interface Naming {
  readonly name: OllamaName;
  readonly helper: string;
  readonly manifest: ManifestDocument;
}

/** A copy over a name leaves the replaced layers behind until the next server start; under a name of their own they can be deleted. */
async function giveName(side: WriterSide, { name, helper, manifest }: Naming, context: WriteContext): Promise<void> {
  const { signal } = context;
  const ref = canonicalOllamaName(name);
  // Looked at again: the name may have got other content while the bytes came.
  const present = await side.reader.inspect(ref, "presence", signal);
  if (present === undefined || "failure" in present || present.contentId === manifest.digest) return side.api.copy(helper, ref, signal);
  const replaced = replacedNameFor(helper);
  await ensureUnloaded(side, present, signal);
  await keepReplaced(side, { name, present, wanted: manifest }, context);
  try {
    await side.api.copy(ref, replaced, signal);
    await side.api.copy(helper, ref, signal);
  } finally {
    await removeHelpers(side, [replaced]);
  }
}

function requirePin(ref: string, pin: OllamaPin): ManifestDocument & { readonly text: string } {
  const manifest = readManifest(Buffer.from(pin.manifest));
  if (manifest.digest === pin.digest && manifest.content.kind === "image") return { ...manifest, text: pin.manifest };
  throw failed("integrity", `the locked manifest of ${ref} does not have its own digest ${pin.digest}`, { remedy: "restore the lock file from Git" });
}
