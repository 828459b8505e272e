import { compareText } from "../../domain/diagnostic.ts";
import type { Backend } from "../../domain/backend.ts";
import { toFailure, type Failure } from "../../domain/failure.ts";
import type { ServingObservation } from "../../domain/observed.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import { liveKey, type BackendSight } from "../../domain/selection/candidate.ts";
import type { ServingReader } from "../../ports/serving-backend.ts";

/** One declared backend and what a look at it found; undefined where it has no address. */
export interface BackendCheck {
  readonly backend: Backend;
  readonly observation?: ServingObservation;
}

/** Longest wait for all backends together. */
export const checkTimeout: Milliseconds = 3_000;

/** Asks every backend at once; one that does not answer in time is unknown and holds up no other. */
export async function checkBackends(
  backends: readonly Backend[],
  readers: readonly ServingReader[],
  timeout: Milliseconds,
  signal: AbortSignal,
): Promise<readonly BackendCheck[]> {
  const late = AbortSignal.timeout(timeout);
  const either = AbortSignal.any([signal, late]);
  const checks = backends
    .toSorted((a, b) => compareText(a.metadata.name, b.metadata.name))
    .map(async (backend): Promise<BackendCheck> => {
      const { name } = backend.metadata;
      const reader = readers.find((candidate) => candidate.backend === name);
      return reader === undefined ? { backend } : { backend, observation: await observed(reader, { timeout, late, signal: either }) };
    });
  const results = await Promise.all(checks);
  signal.throwIfAborted();
  return results;
}

interface Patience {
  readonly timeout: Milliseconds;
  readonly late: AbortSignal;
  readonly signal: AbortSignal;
}

async function observed(reader: ServingReader, { timeout, late, signal }: Patience): Promise<ServingObservation> {
  try {
    return await reader.observe(signal);
  } catch (error) {
    const tardy: Failure = { code: "timeout", retry: "transient", message: `no answer in ${timeout / 1000} s` };
    return { state: "unknown", backend: reader.backend, failure: late.aborted ? tardy : toFailure(error) };
  }
}

/** What selection needs to know of the backends that were looked at. */
export function sightsOf(checks: readonly BackendCheck[]): ReadonlyMap<string, BackendSight> {
  return new Map(
    checks.flatMap(({ backend, observation }) =>
      observation === undefined ? [] : [[backend.metadata.name, sightOf(backend, observation)] as const],
    ),
  );
}

function sightOf(backend: Backend, observation: ServingObservation): BackendSight {
  const base = { name: backend.metadata.name, type: backend.type, url: backend.url ?? "" };
  switch (observation.state) {
    case "down":
      return { ...base, state: "down", reason: `nothing listens there${portOf(backend.url)}` };
    case "unknown":
      return { ...base, state: "down", reason: observation.failure.message };
    case "serving":
      return observation.healthy
        ? { ...base, state: "up", ids: new Set(observation.models.map(({ id }) => liveKey(backend.type, id))) }
        : { ...base, state: "down", reason: "it is loading or unhealthy" };
  }
}

function portOf(url: string | undefined): string {
  const parsed = url === undefined ? null : URL.parse(url);
  return parsed === null || parsed.port === "" ? "" : ` (port ${parsed.port})`;
}

/** One row of `show-backends`. */
export interface BackendRow {
  readonly name: string;
  readonly provider: string;
  readonly url: string | null;
  readonly available: boolean | null;
  readonly state: "available" | "loading" | "down" | "unknown" | "no address";
  readonly detail: string;
  readonly version: string | null;
  /** Ids that it offers now. */
  readonly models: readonly string[];
  /** What the manifest wants served, `none`, or null where that is not managed. */
  readonly active: string | null;
}

/** The backends below the kind of program that serves them, both sorted. */
export function backendRows(checks: readonly BackendCheck[]): Readonly<Record<string, readonly BackendRow[]>> {
  const rows = checks.map(rowOf);
  const providers = [...new Set(rows.map((row) => row.provider))].toSorted(compareText);
  return Object.fromEntries(providers.map((provider) => [provider, rows.filter((row) => row.provider === provider)]));
}

function rowOf({ backend, observation }: BackendCheck): BackendRow {
  const { active } = backend;
  const base = {
    name: backend.metadata.name,
    provider: backend.type,
    url: backend.url ?? null,
    active: active === undefined ? null : active.kind === "none" ? "none" : active.name,
  };
  const nothing = { version: null, models: [] };
  if (observation === undefined) return { ...base, ...nothing, available: null, state: "no address", detail: "read from disk only" };
  if (observation.state === "down") return { ...base, ...nothing, available: false, state: "down", detail: "connections are refused" };
  if (observation.state === "unknown") return { ...base, ...nothing, available: null, state: "unknown", detail: observation.failure.message };
  const { healthy, models, version } = observation;
  return {
    ...base,
    available: healthy,
    state: healthy ? "available" : "loading",
    detail: healthy ? "" : "it answers and is not ready",
    version: version ?? null,
    models: models.map(({ id }) => id).toSorted(compareText),
  };
}
