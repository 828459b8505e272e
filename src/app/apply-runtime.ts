import type { Action, Work } from "../domain/action.ts";
import { failed } from "../domain/failure.ts";
import type { MemoryChange } from "../domain/inventory.ts";
import type { LoadedModel } from "../domain/observed.ts";
import type { ModelRuntime } from "../ports/model-runtime.ts";
import type { WriteContext } from "../ports/model-store.ts";
import { formatBytes, formatSpan } from "../report/quantities.ts";
import type { ExecuteContext } from "./execute-context.ts";

type RuntimeWork = Extract<Work, { verb: "load" | "unload" }>;

/** Gets a model into memory or out of it, and remembers what its server was asked: only what Holdfast loaded it takes out again. */
export async function applyRuntime(
  action: Action,
  work: RuntimeWork,
  { connections, progress, signal }: ExecuteContext,
): Promise<{ readonly detail: string; readonly change: MemoryChange }> {
  const { id, name, store, ref } = action;
  const runtime = connections.runtimes.find((candidate) => candidate.store === store);
  if (runtime === undefined)
    throw failed("unsupported", `${action.object}: nothing loads models of ${store}`, { remedy: "give the backend a `url`" });
  const change = { kind: "kept", name, store, ref } as const;
  const context: WriteContext = { id, progress, signal };
  if (work.verb === "load") return { detail: await load(runtime, work, context), change: { ...change, keepLoaded: work.request.keep } };
  await runtime.unload(work.request, context);
  return { detail: "out of memory", change };
}

async function load(runtime: ModelRuntime, { request }: Extract<RuntimeWork, { verb: "load" }>, context: WriteContext): Promise<string> {
  const loaded = await runtime.load(request, context);
  const time = request.keep === "forever" ? "for ever" : `for ${formatSpan(request.keep)} after its last use`;
  return ["in memory", ...spaceOf(loaded), time].join(", ");
}

function spaceOf({ size, sizeVram }: LoadedModel): readonly string[] {
  if (sizeVram > 0) return [`${formatBytes(sizeVram)} VRAM`];
  return size === undefined ? [] : [formatBytes(size)];
}
