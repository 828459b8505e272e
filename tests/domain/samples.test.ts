import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addSample, metricsOfSample, sampleWindow, summarizeSamples, throughputOf, type Sample } from "../../src/domain/samples.ts";

const sample = (more: Partial<Sample> = {}): Sample => ({
  at: "2026-11-21T12:00:00.000Z",
  kind: "text",
  ttftMs: 100,
  durationMs: 1100,
  promptTokens: 10,
  tokens: 51,
  chunks: 50,
  streamed: true,
  ...more,
});

describe("samples", () => {
  it("S3.31 averages the first token over the samples that have one, and skips rates that cannot be told", () => {
    const { ttftMs: _none, ...unstreamed } = sample({ streamed: false });
    const summary = summarizeSamples([sample(), sample({ ttftMs: 200, durationMs: 1200 }), unstreamed, sample({ ttftMs: 300, durationMs: 300 })]);
    expect(summary).toMatchObject({ samples: 4, ttftMs: 200, tokensPerSecond: 50 });
    expect(throughputOf(sample({ tokens: 1 }))).toBe(1);
    expect(throughputOf(sample({ ttftMs: 1099.9 }))).toBeUndefined();
    expect(summarizeSamples([])).toEqual({ samples: 0 });
  });

  it("S1.53 S3.67 keeps a rolling window of the latest fifty", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 45, maxLength: 120 }), (durations) => {
        const window = durations.map((durationMs) => sample({ durationMs })).reduce<readonly Sample[]>(addSample, []);
        expect(window.map((each) => each.durationMs)).toEqual(durations.slice(-sampleWindow));
        expect(summarizeSamples(window).samples).toBe(Math.min(durations.length, 50));
      }),
    );
  });

  it("S4.38 S4.39 S4.40 S4.41 S4.42 S4.43 S4.44 S4.45 S4.46 S4.55 names every metric of a streamed request, with tags", () => {
    const records = metricsOfSample(sample(), { model: "qwen" });
    expect(Object.fromEntries(records.map(({ name, value }) => [name, value]))).toEqual({
      "ollama.request.duration": 1100,
      "ollama.tokens.total": 61,
      "ollama.tokens.prompt": 10,
      "ollama.tokens.completion": 51,
      "ollama.throughput.tokens_per_second": 50,
      "ollama.stream.duration": 1100,
      "ollama.stream.chunks": 50,
      "ollama.stream.tokens": 51,
      "ollama.stream.throughput": 50,
    });
    expect(records.every(({ tags }) => tags["model"] === "qwen")).toBe(true);
  });

  it("S4.58 leaves out the stream metrics of a request that was not streamed, and counts nothing that nobody counted", () => {
    const { ttftMs: _none, promptTokens: _uncounted, ...plain } = sample({ streamed: false });
    expect(metricsOfSample(plain, {}).map(({ name }) => name)).toEqual([
      "ollama.request.duration",
      "ollama.tokens.completion",
      "ollama.throughput.tokens_per_second",
    ]);
  });
});
