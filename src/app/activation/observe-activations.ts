import { isEngine } from "../../domain/activation/arguments.ts";
import { decodeRecord } from "../../domain/activation/record.ts";
import type { ActivationObservation, ProcessFacts } from "../../domain/activation/activation.ts";
import { stateFileOwner } from "../../domain/activation/active-state.ts";
import type { Backend } from "../../domain/backend.ts";
import { compareText } from "../../domain/diagnostic.ts";
import { toFailure } from "../../domain/failure.ts";
import { type ActivationHost, isHere, type Place, placeOf, recordPath } from "./activation-host.ts";
import { observeActivation } from "./journal.ts";

type Observer = Pick<ActivationHost, "files" | "paths" | "processes">;

/**
 * Looks at every managed single-port backend, and at those that have left the manifests and have a record: sorted by backend, for the planner. All
 * processes are read once. `stateFile` is the path of the state file, which speaks about one backend.
 */
export async function observeActivations(host: Observer, backends: readonly Backend[], stateFile: string): Promise<readonly ActivationObservation[]> {
  const owner = stateFileOwner(backends)?.metadata.name;
  const managed = backends.filter((backend) => isEngine(backend.type) && backend.active !== undefined);
  const declared = new Set(backends.map((backend) => backend.metadata.name));
  const left = (await recordedBackends(host)).filter((name) => !declared.has(name));
  if (managed.length === 0 && left.length === 0) return [];
  const among = allProcesses(host);
  const observations = await Promise.all([
    ...managed.map((backend) => observeManaged(host, backend, backend.metadata.name === owner ? stateFile : undefined, among)),
    ...left.map((name) => observeLeft(host, name, among)),
  ]);
  return observations.flat().toSorted((a, b) => compareText(a.backend, b.backend));
}

/** Undefined where processes cannot be looked at: each observation then says so. */
function allProcesses(host: Observer): readonly ProcessFacts[] | undefined {
  try {
    return host.processes.all();
  } catch {
    return undefined;
  }
}

async function observeManaged(
  host: Observer,
  backend: Backend,
  stateFile: string | undefined,
  among: readonly ProcessFacts[] | undefined,
): Promise<ActivationObservation> {
  try {
    if (!isHere(host.processes, backend)) return { state: "elsewhere", backend: backend.metadata.name };
    return await observeActivation(host, placeOf(backend, stateFile), among);
  } catch (error) {
    return { state: "unknown", backend: backend.metadata.name, failure: toFailure(error) };
  }
}

async function observeLeft(host: Observer, name: string, among: readonly ProcessFacts[] | undefined): Promise<readonly ActivationObservation[]> {
  const place = await leftPlace(host, name);
  return place === undefined ? [] : [await observeActivation(host, place, among)];
}

/** Where a backend listened that the manifests do not name any more; undefined when that is not known, so that nothing is done about it. */
export async function leftPlace(host: Pick<ActivationHost, "files" | "paths">, name: string): Promise<Place | undefined> {
  try {
    const text = await host.files.read(recordPath(host.paths, name));
    if (text === undefined) return undefined;
    const { port, stopTimeout } = decodeRecord(text);
    return { backend: name, port, stopTimeout };
  } catch {
    return undefined;
  }
}

async function recordedBackends({ files, paths }: Pick<ActivationHost, "files" | "paths">): Promise<readonly string[]> {
  const names = await files.list(paths.records);
  return names.flatMap((name) => (name.endsWith(".json") && !name.startsWith(".") ? [name.slice(0, -".json".length)] : []));
}
