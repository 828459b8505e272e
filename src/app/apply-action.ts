import type { Action, Work } from "../domain/action.ts";
import { contentDigest } from "../domain/digest.ts";
import { failed } from "../domain/failure.ts";
import { isCorrupt } from "../domain/fingerprint.ts";
import type { InventoryItem, MemoryChange } from "../domain/inventory.ts";
import type { Holding } from "../domain/observed.ts";
import { sameRef } from "../domain/placement.ts";
import { holdingSize } from "../domain/sizes.ts";
import type { ModelReader, ModelWriter, WriteContext } from "../ports/model-store.ts";
import { formatBytes } from "../report/quantities.ts";
import { applyRuntime } from "./apply-runtime.ts";
import { applySwitch } from "./apply-switch.ts";
import { recordedLook } from "./check-preconditions.ts";
import type { ExecuteContext } from "./execute-context.ts";

/** What an action achieved: a line for people and what must be remembered. */
interface Applied {
  readonly detail: string;
  readonly changes: readonly MemoryChange[];
}

/** Does one action. This is the only place that calls writers. */
export async function applyAction(action: Action, context: ExecuteContext): Promise<Applied> {
  const { work } = action;
  switch (work.verb) {
    case "pull":
      return gained(action, await writerOf(action, context).pull(work.request, writeContext(action, context)), "pulled", context);
    case "repair":
      return gained(action, await writerOf(action, context).repair(work.request, writeContext(action, context)), "pulled", context);
    case "tag":
      return gained(action, await writerOf(action, context).tag(work.request, writeContext(action, context)), "pulled", context);
    case "import":
      return gained(action, action.dependsOn.length === 0 ? await seen(action, context) : await present(action, "stat", context), "adopted", context);
    case "hash":
      return hash(action, work, context);
    case "purge":
      return purge(action, work, context);
    case "deprecate":
      return remembered("deprecated", {
        kind: "deprecate",
        deprecation: { name: action.name, store: action.store, ref: action.ref, since: context.clock.now(), reason: work.because, confirmations: 1 },
      });
    case "undeprecate":
      return remembered("active again", { kind: "undeprecate", store: action.store, ref: action.ref });
    case "forget":
      return remembered(
        "no longer managed",
        { kind: "disown", name: action.name, store: action.store, ref: action.ref },
        { kind: "undeprecate", store: action.store, ref: action.ref },
      );
    case "load":
    case "unload": {
      const { detail, change } = await applyRuntime(action, work, context);
      return remembered(detail, change);
    }
    case "activate":
    case "deactivate":
      return remembered(await applySwitch(action, work, context));
  }
}

function remembered(detail: string, ...changes: readonly MemoryChange[]): Applied {
  return { detail, changes };
}

function writerOf(action: Action, { connections }: ExecuteContext): ModelWriter {
  const writer = connections.writers.find((candidate) => candidate.store === action.store);
  if (writer === undefined)
    throw failed("unsupported", `${action.object}: nothing writes to ${action.store}`, { remedy: "give the backend a `url`" });
  return writer;
}

function readerOf(action: Action, { connections }: ExecuteContext): ModelReader {
  const reader = connections.readers.find((candidate) => candidate.store === action.store);
  if (reader === undefined) throw failed("unsupported", `${action.object}: nothing reads ${action.store}`);
  return reader;
}

function writeContext(action: Action, context: ExecuteContext): WriteContext {
  return { id: action.id, progress: context.progress, signal: context.signal };
}

/** The holding as this run saw it; preconditions have compared it with the plan. */
async function seen(action: Action, context: ExecuteContext): Promise<Holding> {
  const found = await recordedLook(context.observed)(action.store, action.ref);
  return found === undefined || "failure" in found ? present(action, "stat", context) : found;
}

async function present(action: Action, level: "stat" | "full", context: ExecuteContext): Promise<Holding> {
  const found = await readerOf(action, context).inspect(action.ref, level, context.signal);
  if (found === undefined) throw failed("precondition", `${action.ref} is not there any more`, { retry: "transient" });
  if ("failure" in found) throw failed(found.failure.code, found.failure.message);
  return found;
}

/** The model is there and ours: own it, and remember the proof of its bytes when every file was hashed. */
function gained(action: Action, holding: Holding, origin: InventoryItem["origin"], context: ExecuteContext): Applied {
  const now = context.clock.now();
  const known = context.memory.inventory.find(
    (item) => item.name === action.name && item.store === action.store && sameRef(item.store, item.ref, holding.ref),
  );
  const artifacts = hashedArtifacts(holding);
  const { protect = false, purgeAfter, revision } = action.declared ?? {};
  const item: InventoryItem = {
    name: action.name,
    store: holding.store,
    ref: holding.ref,
    origin: known?.origin ?? origin,
    since: known?.since ?? now,
    sizeBytes: holdingSize(holding),
    protect,
    ...(holding.contentId === undefined ? {} : { contentId: holding.contentId }),
    ...(revision === undefined ? {} : { revision }),
    ...(purgeAfter === undefined ? {} : { purgeAfter }),
    ...(known?.keepLoaded === undefined ? {} : { keepLoaded: known.keepLoaded }),
    ...(artifacts === undefined ? {} : { contentDigest: contentDigest(artifacts) }),
  };
  const proof: readonly MemoryChange[] =
    artifacts === undefined
      ? []
      : [{ kind: "verified", verification: { name: action.name, at: now, level: "full", contentDigest: contentDigest(artifacts) } }];
  const detail = origin === "adopted" ? "taken into the inventory" : artifacts === undefined ? "present" : "verified";
  return remembered(detail, { kind: "own", item }, { kind: "undiscover", store: holding.store, ref: holding.ref }, ...proof);
}

function hashedArtifacts(holding: Holding): readonly { readonly path: string; readonly size: number; readonly sha256: string }[] | undefined {
  const hashed = holding.artifacts.flatMap(({ path, size, found }) =>
    found.state === "present" && found.level !== "presence" ? [{ path, size, sha256: found.sha256 }] : [],
  );
  return hashed.length === holding.artifacts.length && holding.artifacts.length > 0 ? hashed : undefined;
}

async function hash(action: Action, work: Extract<Work, { verb: "hash" }>, context: ExecuteContext): Promise<Applied> {
  const holding = await present(action, "full", context);
  const wrong = holding.artifacts.find((artifact) => isCorrupt(artifact) || differs(artifact.path, artifact.found, work.expected));
  if (wrong !== undefined) {
    const actual = wrong.found.state === "present" && wrong.found.level !== "presence" ? wrong.found.sha256 : wrong.found.state;
    throw failed(
      "integrity",
      `${action.object}: ${wrong.path} does not match: expected ${work.expected?.[wrong.path] ?? wrong.declaredSha256 ?? "other bytes"}, got ${actual}`,
      { remedy: "holdfast reconcile repairs it" },
    );
  }
  const artifacts = hashedArtifacts(holding);
  if (artifacts === undefined)
    throw failed("integrity", `${action.object}: not every file could be hashed`, { remedy: "holdfast reconcile repairs it" });
  return remembered(`${artifacts.length} files verified`, {
    kind: "verified",
    verification: { name: action.name, at: context.clock.now(), level: "full", contentDigest: contentDigest(artifacts) },
  });
}

function differs(path: string, found: Holding["artifacts"][number]["found"], expected: Readonly<Record<string, string>> | undefined): boolean {
  const wanted = expected?.[path];
  return wanted !== undefined && (found.state !== "present" || found.level === "presence" || found.sha256 !== wanted);
}

async function purge(action: Action, work: Extract<Work, { verb: "purge" }>, context: ExecuteContext): Promise<Applied> {
  const removed = await writerOf(action, context).remove(work.request, writeContext(action, context));
  const place = { store: action.store, ref: action.ref };
  const kept = removed.quarantine === undefined ? {} : { quarantine: removed.quarantine };
  const content = work.request.contentId === undefined ? {} : { contentId: work.request.contentId };
  const tombstone = { name: action.name, ...place, ...content, sizeBytes: removed.freedBytes, purgedAt: context.clock.now(), ...kept };
  const detail =
    removed.quarantine === undefined
      ? `freed ${formatBytes(removed.freedBytes)}`
      : `freed ${formatBytes(removed.freedBytes)}, kept in ${removed.quarantine}`;
  return remembered(
    detail,
    { kind: "disown", name: action.name, ...place },
    { kind: "undeprecate", ...place },
    { kind: "undiscover", ...place },
    { kind: "bury", tombstone },
  );
}
