import { sha256 } from "../../domain/digest.ts";
import { HoldfastError } from "../../domain/failure.ts";
import { isLoopback } from "./base-url.ts";
import { mapBounded } from "./bounded.ts";
import { readHelperName } from "./helper-names.ts";
import { createHttpLine } from "./http-line.ts";
import { decodeListing, type ListedModel } from "./listing.ts";
import { maxManifestBytes } from "./manifest-text.ts";
import { scanStore, tornManifest } from "./store-scan.ts";
import type { WriterSide } from "./writer-side.ts";

const answerTime = 2_000;
const cleanUpTime = 30_000;
/** A pin server elsewhere may be out of our reach; no pull proves its bytes for longer. */
const staleAfter = 3_600_000;
const parallelQuestions = 8;

/**
 * Removes the helper names that killed processes left; one request when there are none. Nothing is removed while a pin server serves, because the
 * server would delete blobs that its pull counts on. A failure is left to the operation that follows. Leftovers of the content `wanted` are spared and
 * returned: what is about to be pulled is not to be fetched twice.
 */
export async function removeStaleHelpers(side: WriterSide, wanted: string | undefined, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const stale = await staleHelpers(side, signal);
    if (stale.length === 0 || (await hasTornManifest(side, signal))) return [];
    const isWanted = (ref: string): boolean => wanted?.startsWith(readHelperName(ref)?.id ?? " ") === true;
    for (const ref of stale) if (!isWanted(ref)) await side.api.remove(ref, signal);
    return stale.filter(isWanted);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return [];
    throw error;
  }
}

/** Also when the operation was aborted: the clean-up has a time limit of its own, and what it cannot remove the next operation finds. */
export async function removeHelpers(side: WriterSide, refs: readonly string[]): Promise<void> {
  for (const ref of refs) await side.api.remove(ref, AbortSignal.timeout(cleanUpTime)).catch(() => false);
}

async function staleHelpers(side: WriterSide, signal: AbortSignal): Promise<readonly string[]> {
  const { models } = decodeListing(await side.api.tags(signal));
  const helpers = models.filter(({ ref }) => readHelperName(ref) !== undefined);
  const served = await mapBounded(helpers, parallelQuestions, (helper) => isServed(helper.ref, signal));
  return served.includes(true) ? [] : helpers.filter(mayGo).map(({ ref }) => ref);
}

function mayGo({ ref, modifiedAt }: ListedModel): boolean {
  return isHere(ref) || (modifiedAt !== undefined && Date.now() - Date.parse(modifiedAt) > staleAfter);
}

function isHere(ref: string): boolean {
  return isLoopback((readHelperName(ref)?.host ?? "").replace(/:\d+$/, ""));
}

/** Another program may have the port by now: only one that hands out the manifest is the pin server. On this machine silence counts as one that is busy. */
async function isServed(ref: string, signal: AbortSignal): Promise<boolean> {
  const { host, id } = readHelperName(ref) ?? { host: "", id: "" };
  const url = `http://${host}/v2/holdfast-pin/${id}/manifests/new`;
  if (!URL.canParse(url)) return false;
  try {
    const { status, bytes } = await createHttpLine().ask({ method: "GET", url, timeoutMs: answerTime, maxBytes: maxManifestBytes }, signal);
    return status === 200 && sha256(bytes).startsWith(id);
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof HoldfastError && error.failure.code === "timeout" && isHere(ref);
  }
}

/** Blobs that only a torn manifest names would be deleted with a helper name. */
async function hasTornManifest({ directory }: WriterSide, signal: AbortSignal): Promise<boolean> {
  return directory !== undefined && tornManifest(await scanStore(directory, signal)) !== undefined;
}
