import { compareText } from "../domain/diagnostic.ts";
import { toFailure } from "../domain/failure.ts";
import type { Observation, ObservedState, ServingObservation } from "../domain/observed.ts";
import type { Clock } from "../ports/clock.ts";
import type { ModelReader, ObserveRequest } from "../ports/model-store.ts";
import type { ServingReader } from "../ports/serving-backend.ts";
import type { Connections } from "./host.ts";

/** Asks every reader at once. A source that fails is unknown and hides no other. */
export async function observe(
  connections: Pick<Connections, "readers" | "serving">,
  request: ObserveRequest,
  clock: Clock,
  signal: AbortSignal,
): Promise<ObservedState> {
  const at = clock.now();
  const [stores, serving] = await Promise.all([
    Promise.all(connections.readers.map((reader) => observeStore(reader, request, signal))),
    Promise.all(connections.serving.map((reader) => observeServing(reader, signal))),
  ]);
  signal.throwIfAborted();
  return {
    at,
    level: request.level,
    stores: stores.toSorted((a, b) => compareText(a.store, b.store)),
    serving: serving.toSorted((a, b) => compareText(a.backend, b.backend)),
  };
}

async function observeStore(reader: ModelReader, request: ObserveRequest, signal: AbortSignal): Promise<Observation> {
  try {
    return await reader.observe(request, signal);
  } catch (error) {
    return { state: "unknown", store: reader.store, failure: toFailure(error) };
  }
}

async function observeServing(reader: ServingReader, signal: AbortSignal): Promise<ServingObservation> {
  try {
    return await reader.observe(signal);
  } catch (error) {
    return { state: "unknown", backend: reader.backend, failure: toFailure(error) };
  }
}
