import type { Instant, Milliseconds } from "./resource.ts";

/** What one request to a model cost. */
export interface Sample {
  readonly at: Instant;
  readonly kind: "vision" | "text";
  /** From the request to the first token; undefined when it was not streamed. */
  readonly ttftMs?: Milliseconds;
  readonly durationMs: Milliseconds;
  readonly promptTokens?: number;
  /** Tokens of the answer; where the server does not count, the parts it was streamed in. */
  readonly tokens: number;
  readonly chunks: number;
  readonly streamed: boolean;
}

/** A rolling summary of the latest samples (requirements 2.12). */
export interface Performance {
  readonly samples: number;
  /** Mean over the samples that have one. */
  readonly ttftMs?: number;
  /** Mean over the samples that say how long tokens came for. */
  readonly tokensPerSecond?: number;
  readonly last?: Sample;
}

/** Samples that are kept per model. */
export const sampleWindow = 50;

/** The window with one more sample, oldest first. */
export function addSample(window: readonly Sample[], sample: Sample): readonly Sample[] {
  return [...window, sample].slice(-sampleWindow);
}

/** Below this many milliseconds an answer came in one burst, and a rate would say nothing. */
const shortest: Milliseconds = 1;

/** Tokens per second after the first token: max(tokens - 1, 1) over the time they took; undefined where that cannot be told. */
export function throughputOf({ ttftMs, durationMs, tokens }: Pick<Sample, "ttftMs" | "durationMs" | "tokens">): number | undefined {
  const active = ttftMs === undefined ? 0 : durationMs - ttftMs;
  return active >= shortest ? Math.max(tokens - 1, 1) / (active / 1000) : undefined;
}

/** Sums up a window of samples. */
export function summarizeSamples(window: readonly Sample[]): Performance {
  const samples = window.slice(-sampleWindow);
  const ttft = meanOf(samples.flatMap((sample) => sample.ttftMs ?? []));
  const throughput = meanOf(samples.flatMap((sample) => throughputOf(sample) ?? []));
  const last = samples.at(-1);
  return {
    samples: samples.length,
    ...(ttft === undefined ? {} : { ttftMs: ttft }),
    ...(throughput === undefined ? {} : { tokensPerSecond: throughput }),
    ...(last === undefined ? {} : { last }),
  };
}

function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : rounded(values.reduce((sum, value) => sum + value, 0) / values.length);
}

/** Two decimals are all that a clock of milliseconds can mean. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** One measured value under its public name. */
export interface MetricRecord {
  readonly name: string;
  readonly value: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** The metrics of one request under the names of namel3ss (requirements S4.38 to S4.46), durations in milliseconds. */
export function metricsOfSample(sample: Sample, tags: Readonly<Record<string, string>>): readonly MetricRecord[] {
  const { durationMs, promptTokens, tokens, chunks, streamed } = sample;
  const throughput = throughputOf(sample) ?? (durationMs > 0 ? tokens / (durationMs / 1000) : undefined);
  const request: readonly (readonly [string, number | undefined])[] = [
    ["ollama.request.duration", durationMs],
    ["ollama.tokens.total", promptTokens === undefined ? undefined : promptTokens + tokens],
    ["ollama.tokens.prompt", promptTokens],
    ["ollama.tokens.completion", tokens],
    ["ollama.throughput.tokens_per_second", throughput],
  ];
  const stream: readonly (readonly [string, number | undefined])[] = [
    ["ollama.stream.duration", durationMs],
    ["ollama.stream.chunks", chunks],
    ["ollama.stream.tokens", tokens],
    ["ollama.stream.throughput", throughput],
  ];
  return [...request, ...(streamed ? stream : [])].flatMap(([name, value]) => (value === undefined ? [] : [{ name, value: rounded(value), tags }]));
}
