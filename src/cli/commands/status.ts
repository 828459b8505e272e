import { exitCodes } from "../../app/exit-code.ts";
import { preview } from "../../app/preview.ts";
import { servingStatusOf, statusOf, type BackendStatus, type ModelStatus } from "../../app/status.ts";
import { formatAge, formatRevision, formatSpan, shortDigest } from "../../report/quantities.ts";
import { renderStatusText, type BackendRow, type MemoryRow } from "../../report/status-text.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { previewOptions } from "./plan-options.ts";

/** `holdfast status`: desired, applied, drift and health of every declared model. */
export async function status(session: Session, options: CommonOptions): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host();
  const project = await session.project(host);
  const view = await preview(host, project, await previewOptions(session, host, {}), session.signal);
  const rows = await statusOf(host, view);
  const backends = servingStatusOf(view);
  const [lastRun] = await host.state.runs(1);
  const now = host.clock.now();
  const unknown = view.observed.stores.flatMap((store) => (store.state === "unknown" ? [`${store.store} is unknown: ${store.failure.message}`] : []));
  const basis = `Revision ${formatRevision(view.plan.revision)}, looked at level ${view.observed.level} just now; last pass ${lastRun === undefined ? "never" : `${formatAge(lastRun.endedAt, now)} ago with exit code ${lastRun.exitCode}`}.`;
  writeOutputs(outputs, {
    text: () =>
      renderStatusText(rows.map(rowOf), {
        now,
        width: session.tableWidth,
        colour: session.paint,
        notes: [...unknown, basis],
        backends: backends.map(backendRowOf),
        memory: rows.flatMap(memoryRowOf),
      }),
    json: () =>
      jsonAnswer("Status", {
        revision: view.plan.revision,
        level: view.observed.level,
        observedAt: view.observed.at,
        lastRun: lastRun === undefined ? null : { at: lastRun.endedAt, exitCode: lastRun.exitCode, revision: lastRun.revision },
        models: rows,
        backends,
        stores: view.observed.stores.map(({ store, state }) => ({ store, state })),
      }),
  });
  return unknown.length > 0 || backends.some((backend) => backend.state === "unknown") ? exitCodes.unknown : exitCodes.done;
}

function backendRowOf({ backend, declared, state, active, message }: BackendStatus): BackendRow {
  const since = active === undefined ? {} : { since: new Date(active.started_at * 1000).toISOString() };
  return { name: backend, declared, serves: active?.logical_name ?? "", state, message, ...since };
}

/** Models that are in memory, ought to be, or failed on the way there. */
function memoryRowOf({ name, stateText, state, keepLoaded, contextLength, lastUsed, lastFailure }: ModelStatus): readonly MemoryRow[] {
  if (state !== "loaded" && keepLoaded === undefined && lastFailure === undefined) return [];
  const wanted = keepLoaded === undefined ? "" : keepLoaded === "forever" ? "for ever" : formatSpan(keepLoaded);
  return [
    {
      name,
      wanted,
      state: lastFailure === undefined ? stateText : `${stateText}; the last pass failed while ${lastFailure}`,
      contextLength,
      lastUsed,
    },
  ];
}

function rowOf(model: ModelStatus): Parameters<typeof renderStatusText>[0][number] {
  const known = model.health !== "Unknown";
  return {
    name: model.name,
    roles: model.roles,
    desired: model.desired === undefined ? "unlocked" : shortDigest(model.desired),
    applied: model.applied === undefined ? (known ? "" : undefined) : shortDigest(model.applied),
    drift: model.drift,
    health: model.loaded ? `${model.health}, loaded` : model.health,
    suspended: false,
    sizeBytes: model.sizeBytes ?? (known ? 0 : undefined),
    ...(model.since === undefined ? {} : { since: model.since }),
  };
}
