import { canonicalJson, toJson, type JsonObject } from "../domain/json.ts";
import { addSample, summarizeSamples, type Performance, type Sample } from "../domain/samples.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { RegistryEntry, RegistryPerformance } from "../registry/entry.ts";
import type { ModelHistory } from "../registry/projection.ts";

/** What is kept of the probes of one model. */
export interface ProbeRecord {
  /** As registry entries have it under `probes.vision`. */
  readonly vision?: JsonObject;
  /** Oldest first, at most the window. */
  readonly samples: readonly Sample[];
}

const kind = "probe";

/** What is remembered of the probes of these models; records that cannot be read count as none. */
export async function readProbes(state: StateStore, names: readonly string[]): Promise<ReadonlyMap<string, ProbeRecord>> {
  const texts = await state.remembered(kind, names);
  return new Map(
    [...texts].flatMap(([name, text]) => {
      const record = decodeRecord(text);
      return record === undefined ? [] : [[name, record] as const];
    }),
  );
}

/** Adds samples, and the result of a vision probe when there is one, to what is remembered of a model. */
export async function rememberProbe(state: StateStore, name: string, samples: readonly Sample[], vision?: JsonObject): Promise<ProbeRecord> {
  const before = (await readProbes(state, [name])).get(name);
  const latest = vision ?? before?.vision;
  const record: ProbeRecord = { samples: samples.reduce(addSample, before?.samples ?? []), ...(latest === undefined ? {} : { vision: latest }) };
  await state.remember(kind, new Map([[name, canonicalJson(record)]]));
  return record;
}

/** Probe results in the form that the registry takes; models without any are left out. */
export async function readHistory(state: StateStore, names: readonly string[]): Promise<ModelHistory> {
  const records = await readProbes(state, names);
  const probed = [...records].flatMap(([name, { vision }]) => (vision === undefined ? [] : [[name, vision] as const]));
  const sampled = [...records].flatMap(([name, { samples }]) =>
    samples.length === 0 ? [] : [[name, registryPerformance(summarizeSamples(samples))] as const],
  );
  return { visionProbes: Object.fromEntries(probed), performance: Object.fromEntries(sampled) };
}

/** A summary in the words of registry entries. */
export function registryPerformance({ samples, ttftMs, tokensPerSecond, last }: Performance): RegistryPerformance {
  return {
    rolling_samples: samples,
    ttft_ms_avg: ttftMs ?? null,
    throughput_toks_per_s_avg: tokensPerSecond ?? null,
    last_sample: last === undefined ? null : { ttft_ms: last.ttftMs ?? null, tokens_generated: last.tokens, duration_ms: last.durationMs },
  };
}

/** One row of `metrics`. */
export interface MetricsRow {
  readonly name: string;
  /** First 12 hex digits; empty when it is not known. */
  readonly hash: string;
  readonly aggregate_sha256: string;
  readonly locked: boolean;
  readonly performance: RegistryPerformance;
}

/** Hashes, locks and measurements of registry entries; what is remembered goes before what the file says. */
export async function metricsOf(entries: readonly RegistryEntry[], state: StateStore): Promise<readonly MetricsRow[]> {
  const { performance } = await readHistory(
    state,
    entries.map((entry) => entry.name),
  );
  return entries.map((entry) => ({
    name: entry.name,
    hash: entry.artifacts.aggregate_sha256.slice(0, 12),
    aggregate_sha256: entry.artifacts.aggregate_sha256,
    locked: entry.version_lock.locked,
    performance: performance?.[entry.name] ?? entry.performance,
  }));
}

function decodeRecord(text: string): ProbeRecord | undefined {
  const value = parsed(text);
  if (!isRecord(value)) return undefined;
  const { samples, vision } = value;
  return { samples: Array.isArray(samples) ? samples.filter(isSample) : [], ...(isRecord(vision) ? { vision: toJson(vision) } : {}) };
}

function isSample(value: unknown): value is Sample {
  if (!isRecord(value)) return false;
  const { at, kind: what, ttftMs, durationMs, promptTokens, tokens, chunks, streamed } = value;
  const numbers =
    [durationMs, tokens, chunks].every((each) => typeof each === "number") &&
    [ttftMs, promptTokens].every((each) => each === undefined || typeof each === "number");
  return numbers && typeof at === "string" && (what === "vision" || what === "text") && typeof streamed === "boolean";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
