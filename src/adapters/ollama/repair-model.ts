import type { RepairRequest } from "../../domain/action.ts";
import { isSha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import { canonicalOllamaName, shortOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { WriteContext } from "../../ports/model-store.ts";
import { requireRefetchable, setAsideBadBlobs } from "./bad-blobs.ts";
import { pullModel } from "./pull-model.ts";
import { requireMeantOffer } from "./pull-tag.ts";
import { ensureUnloaded } from "./unload.ts";
import { isReadable, type WriterSide } from "./writer-side.ts";

type OllamaRepair = Extract<RepairRequest, { kind: "ollama" }>;

/** Replaces bad blobs. A pull alone would not: Ollama takes every file that has the right name for good. */
export async function repairModel(side: WriterSide, name: OllamaName, request: OllamaRepair, context: WriteContext): Promise<Holding> {
  const { signal } = context;
  const ref = canonicalOllamaName(name);
  const digests = request.bad.map(requireDigest);
  const seen = await side.reader.inspect(ref, "presence", signal);
  const holding = seen !== undefined && "artifacts" in seen ? seen : undefined;
  await requireRefetchable(side, name, digests, signal);
  if (request.pin === undefined) await requireMeantOffer(side, name, { digest: request.digest, present: holding }, signal);
  if (holding !== undefined) await ensureUnloaded(side, holding, signal);
  const isTornOnDisk = seen !== undefined && holding === undefined && side.directory !== undefined;
  if (isTornOnDisk || isReadable(side, holding)) await setAsideBadBlobs(side, ref, digests, signal);
  else await requireAbsentBlobs(side, name, digests, signal);
  const { bad: _bad, ...pull } = request;
  return pullModel(side, name, pull, context);
}

/**
 * Without the files only missing blobs can be repaired. To replace one that is there, every model that uses it would have to be deleted first, and
 * over HTTP nobody can tell which those are.
 */
async function requireAbsentBlobs(side: WriterSide, name: OllamaName, digests: readonly string[], signal: AbortSignal): Promise<void> {
  for (const digest of digests) {
    if (!(await side.api.hasBlob(`sha256:${digest}`, signal))) continue;
    throw failed(
      "unsupported",
      `${shortOllamaName(name)} cannot be repaired over HTTP: ${side.api.server.text} has sha256:${digest} and keeps any file of that name`,
      {
        remedy: `remove blobs/sha256-${digest} from its models directory and run again, or set \`spec.store\` where that directory can be written`,
      },
    );
  }
}

function requireDigest(text: string): string {
  const hex = text.replace(/^sha256:/, "");
  if (isSha256(hex)) return hex;
  throw failed("invalid-input", `${JSON.stringify(text)} is not the digest of a blob`);
}
