import type { RemoveRequest } from "../../domain/action.ts";
import { failed, HoldfastError, toFailure } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { ArtifactState, Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { keepCopy, manifestOf, ownBlobs } from "./keep-files.ts";
import { findBlobs, hasUnknownLayers, recallManifests } from "./remote-holdings.ts";
import { blobPath } from "./store-layout.ts";
import { scanStore, tornManifest } from "./store-scan.ts";
import { ensureUnloaded } from "./unload.ts";
import { isReadable, type WriterSide } from "./writer-side.ts";

interface Removed {
  readonly freedBytes: number;
  readonly quarantine?: string;
}

/** Unloads, keeps a copy where asked, deletes, and looks whether it is gone. Bytes count as freed when their file is gone. */
export async function removeModel(side: WriterSide, name: OllamaName, request: RemoveRequest, context: WriteContext): Promise<Removed> {
  const { signal } = context;
  const ref = canonicalOllamaName(name);
  const seen = await side.reader.inspect(ref, "presence", signal);
  if (seen === undefined) return { freedBytes: 0 };
  const holding = requireRemovable(side, seen, request);
  const quarantine = isReadable(side, holding) ? await keepFiles(side, holding, request, signal) : refuseQuarantine(side, holding, request);
  await ensureUnloaded(side, holding, signal);
  await requireUnchanged(side, holding, signal);
  await deleteName(side, holding.ref, signal);
  const freedBytes = await freedBy(side, holding, signal);
  return { freedBytes, ...(quarantine === undefined ? {} : { quarantine }) };
}

function requireRemovable(
  side: WriterSide,
  seen: Awaited<ReturnType<WriterSide["reader"]["inspect"]>> & object,
  { contentId }: RemoveRequest,
): Holding {
  if ("failure" in seen) {
    throw failed("unsupported", `${seen.ref} cannot be deleted through ${side.api.server.text}: ${seen.failure.message}`, {
      remedy: seen.failure.remedy ?? "pull it again first",
    });
  }
  if (contentId !== undefined) requireContent(seen.ref, seen.contentId, contentId);
  return seen;
}

function refuseQuarantine(side: WriterSide, { ref }: Holding, { quarantine }: RemoveRequest): undefined {
  if (!quarantine) return undefined;
  throw failed(
    "unsupported",
    `${ref} is not removed: its bytes cannot be fetched again, and the files of ${side.api.server.text} cannot be read to keep a copy`,
    {
      remedy: "set `spec.store` of the Backend where its models directory can be read",
    },
  );
}

/** Refuses where the server would delete blobs that an unreadable manifest may need, and copies what only this model uses. */
async function keepFiles(side: WriterSide, holding: Holding, { quarantine }: RemoveRequest, signal: AbortSignal): Promise<string | undefined> {
  const scan = await scanStore(side.directory ?? "", signal);
  const torn = tornManifest(scan);
  if (torn !== undefined) {
    throw failed(
      "precondition",
      `${holding.ref} is not removed: the manifest of ${torn.ref} cannot be read, and the server would delete blobs that both may use`,
      {
        remedy: torn.failure.remedy ?? `repair ${torn.ref} first`,
      },
    );
  }
  const own = manifestOf(scan, holding.ref);
  if (!quarantine || own === undefined) return undefined;
  requireContent(holding.ref, own.document.digest, holding.contentId);
  return keepCopy(side, { own, blobs: ownBlobs(scan, own, holding), reason: "removed, and not to be fetched again from anywhere" });
}

/** Unloading and copying take their time; what has come under the name meanwhile was not meant, and no copy of it was kept. */
async function requireUnchanged(side: WriterSide, { ref, contentId }: Holding, signal: AbortSignal): Promise<void> {
  const now = await side.reader.inspect(ref, "presence", signal);
  if (now === undefined) return;
  if ("failure" in now) throw new HoldfastError(now.failure);
  requireContent(ref, now.contentId, contentId);
}

function requireContent(ref: string, now: string | undefined, meant: string | undefined): void {
  if (now === meant) return;
  throw failed("precondition", `${ref} is not removed: it has the content ${now} now, ${meant} was meant`, { remedy: "plan again" });
}

/** The server may fail after it has removed the manifest; what counts is whether the name is gone. */
async function deleteName(side: WriterSide, ref: string, signal: AbortSignal): Promise<void> {
  const refused = await side.api.remove(ref, signal).then(
    () => undefined,
    (error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof HoldfastError) return error;
      throw error;
    },
  );
  if ((await side.reader.inspect(ref, "presence", signal)) === undefined) return;
  if (refused !== undefined) throw refused;
  throw failed("upstream", `could not delete model ${ref}: ${side.api.server.text} said success, but still lists it`, {
    retry: "transient",
    remedy: "look at the log of the Ollama server",
  });
}

async function freedBy(side: WriterSide, holding: Holding, signal: AbortSignal): Promise<number> {
  const before = holding.artifacts.flatMap(({ path, size, found }) => {
    const bytes = found.state === "present" ? size : found.state === "incomplete" ? found.size : undefined;
    return bytes === undefined ? [] : [{ digest: path.replace("sha256:", ""), bytes }];
  });
  const gone = await goneBlobs(
    side,
    holding,
    before.map(({ digest }) => digest),
    signal,
  );
  return before.reduce((sum, { digest, bytes }) => (gone.has(digest) ? sum + bytes : sum), 0);
}

async function goneBlobs(side: WriterSide, holding: Holding, digests: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
  const states = isReadable(side, holding) ? await statesOnDisk(side, digests, signal) : await statesOverHttp(side, holding, signal);
  return new Set(digests.filter((digest) => states.get(digest)?.state === "missing"));
}

async function statesOnDisk(
  { directory = "", hasher }: WriterSide,
  digests: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ArtifactState>> {
  const paths = digests.map((digest) => ({ path: blobPath(directory, { fileName: `sha256-${digest}` }) }));
  const states = await hasher.inspect(paths, "presence", signal);
  return new Map(digests.flatMap((digest, index) => (states[index] === undefined ? [] : [[digest, states[index]] as const])));
}

/** Without a known manifest nobody can tell over HTTP which blobs there were; then nothing counts as freed. */
async function statesOverHttp(side: WriterSide, holding: Holding, signal: AbortSignal): Promise<ReadonlyMap<string, ArtifactState>> {
  if (hasUnknownLayers(holding) || holding.contentId === undefined || side.facts === undefined) return new Map();
  try {
    return await findBlobs(side.api, [...(await recallManifests([holding.contentId], side.facts)).values()], signal);
  } catch (error) {
    signal.throwIfAborted();
    if (toFailure(error).code === "unexpected") throw error;
    return new Map();
  }
}
