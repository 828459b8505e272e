import { decodeRecord, encodeRecord } from "../../domain/activation/record.ts";
import { emptyRecord, type ActivationObservation, type ActivationRecord, type ProcessFacts } from "../../domain/activation/activation.ts";
import { activeStateOf, decodeActiveState, encodeActiveState } from "../../domain/activation/active-state.ts";
import { toFailure } from "../../domain/failure.ts";
import { leadersOf, recordPath, scopeOf, type ActivationHost, type Job, type Place } from "./activation-host.ts";

/** A record as it was read; one that cannot be read counts as empty, and the processes still tell what is ours. */
export interface ReadRecord {
  readonly record: ActivationRecord;
  readonly problem?: string;
}

/** Reads the record of a backend; nothing is changed or deleted. */
export async function readRecord(host: Pick<ActivationHost, "files" | "paths">, place: Place): Promise<ReadRecord> {
  const path = recordPath(host.paths, place.backend);
  const text = await host.files.read(path);
  const empty = emptyRecord(place.backend, place.port, place.stopTimeout);
  if (text === undefined) return { record: empty };
  try {
    return { record: { ...decodeRecord(text), port: place.port, stopTimeout: place.stopTimeout } };
  } catch (error) {
    return { record: empty, problem: `${path} cannot be used: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Writes a record; durable before the step that it announces is taken. */
export async function saveRecord({ host, place }: Job, record: ActivationRecord): Promise<ActivationRecord> {
  await host.files.write(recordPath(host.paths, place.backend), encodeRecord(record), "private");
  return record;
}

/** Whatever is at a place of this machine. */
export type LocalObservation = Exclude<ActivationObservation, { readonly state: "elsewhere" }>;

type Observer = Pick<ActivationHost, "files" | "paths" | "processes">;

/** What stands behind a backend: record, processes of ours, and who else has the port. Changes nothing. `among` are all processes, when known. */
export async function observeActivation(host: Observer, place: Place, among?: readonly ProcessFacts[]): Promise<LocalObservation> {
  const { backend } = place;
  try {
    const { record, problem } = await readRecord(host, place);
    const ours = host.processes.find({ kind: "marked", scope: scopeOf(host.paths, backend), leaders: leadersOf(record) }, among);
    const { listening, listeners, told } = host.processes.holdersOf(place.port, among);
    const strangers = [...listeners, ...told].filter((holder) => !ours.some((own) => own.pid === holder.pid));
    const stateFile = place.stateFile === undefined ? undefined : await compareStateFile(host, place.stateFile, record);
    return {
      state: "observed",
      backend,
      record,
      ...(problem === undefined ? {} : { recordProblem: problem }),
      ours,
      ...(stateFile === undefined ? {} : { stateFile }),
      listening,
      strangers,
    };
  } catch (error) {
    return { state: "unknown", backend, failure: toFailure(error) };
  }
}

async function compareStateFile(
  host: Pick<ActivationHost, "files">,
  path: string,
  { committed }: ActivationRecord,
): Promise<"current" | "stale" | "absent"> {
  const text = await host.files.read(path);
  if (text === undefined) return "absent";
  return committed !== undefined && text === encodeActiveState(activeStateOf(committed)) ? "current" : "stale";
}

/** Removes the state file unless it speaks about a live server that is not ours. */
export async function clearStateFile({ host, place }: Job): Promise<void> {
  if (place.stateFile === undefined) return;
  const text = await host.files.read(place.stateFile);
  if (text === undefined) return;
  const decoded = decodeActiveState(text);
  const alive = "state" in decoded ? host.processes.look(decoded.state.pid) : undefined;
  const isTheirs = alive !== undefined && "state" in decoded && alive.command.some((argument) => argument.includes(decoded.state.served_model_id));
  if (!isTheirs) await host.files.remove(place.stateFile);
}
