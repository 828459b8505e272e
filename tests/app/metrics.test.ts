import { describe, expect, it } from "vitest";
import { metricsOf, readHistory, readProbes, rememberProbe } from "../../src/app/metrics.ts";
import type { Sample } from "../../src/domain/samples.ts";
import { emptyEntry } from "../../src/registry/entry.ts";
import { MemoryState } from "../fakes/memory-store.ts";

const sample = (durationMs: number): Sample => ({
  at: "2026-11-21T12:00:00.000Z",
  kind: "text",
  ttftMs: 10,
  durationMs,
  tokens: 11,
  chunks: 11,
  streamed: true,
});

describe("what probes leave behind", () => {
  it("S1.53 S3.31 keeps samples in a window of fifty, and the latest vision probe until the next", async () => {
    const state = new MemoryState();
    for (let index = 0; index < 60; index++) await rememberProbe(state, "a", [sample(110 + index)]);
    await rememberProbe(state, "a", [], { vision_ok: true });
    await rememberProbe(state, "a", [sample(1010)]);
    const { visionProbes, performance } = await readHistory(state, ["a", "b"]);
    expect(visionProbes).toEqual({ a: { vision_ok: true } });
    expect(performance).toMatchObject({
      a: { rolling_samples: 50, ttft_ms_avg: 10, last_sample: { ttft_ms: 10, tokens_generated: 11, duration_ms: 1010 } },
    });
    expect((await readProbes(state, ["a"])).get("a")?.samples[0]?.durationMs).toBe(121);
  });

  it.each([["not JSON"], ["[]"], ['"text"'], ['{"samples":[{"at":1},null,7]}']])("takes a record that cannot be read (%s) for none", async (text) => {
    const state = new MemoryState();
    await state.remember("probe", new Map([["a", text]]));
    expect((await readHistory(state, ["a"])).performance).toEqual({});
    await rememberProbe(state, "a", [sample(110)]);
    expect((await readHistory(state, ["a"])).performance).toMatchObject({ a: { rolling_samples: 1 } });
  });

  it("S1.41 S1.42 tells hash and lock of every entry, and what the registry says where nothing is remembered", async () => {
    const entry = {
      ...emptyEntry("a", "ollama"),
      artifacts: { aggregate_sha256: "ab".repeat(32), files: [] },
      version_lock: { locked: true, expected_aggregate_sha256: null, last_verified: null },
    };
    const measured = {
      ...emptyEntry("b", "vllm"),
      performance: { rolling_samples: 3, ttft_ms_avg: 5, throughput_toks_per_s_avg: 9, last_sample: null },
    };
    const state = new MemoryState();
    await rememberProbe(state, "a", [sample(110)]);
    expect(await metricsOf([entry, measured], state)).toMatchObject([
      {
        name: "a",
        hash: "abababababab",
        aggregate_sha256: "ab".repeat(32),
        locked: true,
        performance: { rolling_samples: 1, throughput_toks_per_s_avg: 100 },
      },
      { name: "b", hash: "", locked: false, performance: { rolling_samples: 3 } },
    ]);
  });
});
