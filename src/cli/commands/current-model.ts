import { relative } from "node:path";
import { isHere, placeOf } from "../../app/activation/activation-host.ts";
import { currentActivation, remoteActivation, type CurrentActivation } from "../../app/activation/current.ts";
import { exitCodes } from "../../app/exit-code.ts";
import type { Host } from "../../app/host.ts";
import type { Project } from "../../app/read-project.ts";
import { isEngine } from "../../domain/activation/arguments.ts";
import { stateFileOwner } from "../../domain/activation/active-state.ts";
import { renderServingText, type ServedRow } from "../../report/serving-text.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

/** One backend with what the manifests say of it. */
export interface ServedNow extends CurrentActivation {
  readonly url?: string;
  /** Model, `none`, or undefined when the manifests leave it open. */
  readonly declared?: string;
}

/** `holdfast current-model`: what every single-port backend serves right now. Looks, and changes nothing. */
export async function currentModel(session: Session, options: CommonOptions): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host();
  const now = await lookAtServing(host, await session.project(host), session.signal);
  writeOutputs(outputs, {
    text: () => (now.length === 0 ? "No manifest declares a vllm, lmdeploy or gguf Backend.\n" : currentText(now, session, host)),
    json: () => jsonAnswer("CurrentModel", currentJson(now)),
  });
  return now.some((current) => current.state === "unknown") ? exitCodes.unknown : exitCodes.done;
}

/** Looks at every backend whose server Holdfast can start. The first one is the one that the state file speaks about. */
export async function lookAtServing(
  host: Host,
  { desired, lock }: Extract<Project, { state: "valid" }>,
  signal: AbortSignal,
): Promise<readonly ServedNow[]> {
  const { machine, serving } = await host.connect(desired, "server", { memory: await host.state.load(), lock });
  const owner = stateFileOwner(desired.backends);
  const engines = desired.backends.filter((backend) => isEngine(backend.type));
  const ordered = engines.toSorted((a, b) => Number(b === owner) - Number(a === owner));
  return Promise.all(
    ordered.map(async (backend) => {
      const current = isHere(machine.processes, backend)
        ? await currentActivation({ ...machine, serving }, placeOf(backend, backend === owner ? machine.stateFile : undefined), signal)
        : await remoteActivation(serving, backend.metadata.name, signal);
      const declared = backend.active?.kind === "model" ? backend.active.name : backend.active?.kind;
      return { ...current, ...(backend.url === undefined ? {} : { url: backend.url }), ...(declared === undefined ? {} : { declared }) };
    }),
  );
}

/** For programs: the members of the state file, then everything else. */
export function currentJson(now: readonly ServedNow[]): object {
  const [first] = now;
  const { logical_name = null, served_model_id = null, port = null, pid = null, started_at = null } = first?.active ?? {};
  const backends = now.map(({ backend, state, declared, active, served, notes, record }) => ({
    backend,
    state,
    declared: declared ?? null,
    active: active ?? null,
    served: served ?? null,
    condition: record?.condition ?? null,
    log: record?.committed?.log ?? null,
    notes,
  }));
  return { logical_name, served_model_id, port, pid, started_at, state: first?.state ?? "stopped", backends };
}

/** For people: one paragraph for each backend. */
export function currentText(now: readonly ServedNow[], { paint }: Pick<Session, "paint">, host: Host): string {
  return renderServingText(
    now.map((current) => rowOf(current, host.paths.root)),
    { now: host.clock.now(), colour: paint },
  );
}

function rowOf({ active, record, served, ...current }: ServedNow, root: string): ServedRow {
  const ids = served?.state === "serving" ? served.models.map(({ id }) => id) : [];
  return {
    ...current,
    ids: active === undefined ? ids : [active.served_model_id],
    ...(active === undefined ? {} : { pid: active.pid, since: new Date(active.started_at * 1000).toISOString() }),
    ...modelOf(active, record),
    ...troubleOf(record),
    ...(record?.committed === undefined || current.state === "stopped" ? {} : { log: relative(root, record.committed.log) }),
  };
}

function modelOf(active: ServedNow["active"], record: ServedNow["record"]): Pick<ServedRow, "model"> {
  const model = active?.logical_name ?? record?.pending?.target?.model;
  return model === undefined ? {} : { model };
}

function troubleOf(record: ServedNow["record"]): Pick<ServedRow, "problem"> {
  const condition = record?.condition;
  return condition?.status === "False" && condition.reason !== "Stopped" ? { problem: condition.message } : {};
}
