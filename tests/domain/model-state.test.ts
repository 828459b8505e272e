import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterEvent,
  afterSight,
  describeState,
  sightOf,
  type ModelEvent,
  type ModelState,
  type ModelStatusRecord,
  type Sight,
} from "../../src/domain/model-state.ts";
import type { Holding } from "../../src/domain/observed.ts";
import { holdingOf, ollamaContent } from "../fakes/content.ts";

const at = "2026-11-21T12:00:00.000Z";
const later = "2026-11-21T12:05:00.000Z";
const holding = holdingOf("ollama:local", "registry.ollama.ai/library/a:1b", ollamaContent("a"));
const size = holding.artifacts.reduce((sum, artifact) => sum + artifact.size, 0);
const record = (now: ModelState, more: Partial<ModelStatusRecord> = {}): ModelStatusRecord => ({ name: "a", now, ...more });
const present: Sight = { seen: "present", holding };
const loaded = (digest = holding.contentId ?? ""): Sight => ({
  seen: "present",
  holding: { ...holding, loaded: { ref: holding.ref, digest, sizeVram: 5_200_000_000, expiresAt: later, contextLength: 8192 } },
});
const events = (start: ModelStatusRecord, ...list: readonly ModelEvent[]): string => list.reduce(afterEvent, start).now.state;

describe("the state of a model", () => {
  it("S2.5 S2.45 S2.46 S2.47 S2.48 goes from not present through pulling, available and loading to loaded, and back when it is unloaded", () => {
    const states = [record({ state: "not-present" })];
    const push = (next: ModelStatusRecord): void => void states.push(next);
    const last = (): ModelStatusRecord => states.at(-1) ?? record({ state: "not-present" });
    push(afterEvent(last(), { kind: "pull-started" }));
    push(afterSight(last(), { seen: "absent" }, at));
    push(afterSight(last(), present, at));
    push(afterEvent(last(), { kind: "load-started" }));
    push(afterSight(last(), present, at));
    push(afterSight(last(), loaded(), at));
    push(afterSight(last(), present, later));
    push(afterSight(last(), { seen: "absent" }, later));
    expect(states.map(({ now }) => now.state)).toEqual([
      "not-present",
      "pulling",
      "pulling",
      "available",
      "loading",
      "loading",
      "loaded",
      "available",
      "not-present",
    ]);
  });

  it("S2.49 S2.66 is an error after a failed pull or load, until the next successful observation", () => {
    const pulling = record({ state: "pulling" });
    const failed = afterEvent(pulling, { kind: "failed", reason: "disk full" });
    expect(failed.now).toEqual({ state: "error", during: "pulling", reason: "disk full" });
    expect(afterSight(failed, { seen: "nothing" }, at)).toEqual(failed);
    expect(afterSight(failed, { seen: "absent" }, at).now.state).toBe("not-present");
    expect(events(failed, { kind: "pull-started" })).toBe("pulling");
    expect(events(record({ state: "available" }), { kind: "load-started" }, { kind: "failed", reason: "no memory" })).toBe("error");
    expect(events(record({ state: "available" }), { kind: "failed", reason: "of nothing" })).toBe("available");
  });

  it("S2.50 S2.51 S2.52 S2.54 S2.57 keeps size and last use across looks", () => {
    const used = afterSight(record({ state: "available" }), loaded(), at);
    expect(used).toEqual({
      name: "a",
      sizeBytes: size,
      lastUsed: at,
      now: { state: "loaded", sizeVram: 5_200_000_000, expiresAt: later, contextLength: 8192, stale: false },
    });
    expect(afterSight(used, present, later)).toEqual({ name: "a", sizeBytes: size, lastUsed: at, now: { state: "available" } });
    expect(afterEvent(used, { kind: "used", at: "2026-01-01T00:00:00.000Z" }).lastUsed).toBe(at);
  });

  it("S2.67 counts use of a model that is here, and never makes one loaded without a look", () => {
    expect(afterEvent(record({ state: "available" }), { kind: "used", at })).toEqual(record({ state: "available" }, { lastUsed: at }));
    expect(afterEvent(record({ state: "not-present" }), { kind: "used", at })).toEqual(record({ state: "not-present" }));
  });

  it("S2.58 what was not observed changes nothing, whatever the state", () => {
    const state = fc.constantFrom<ModelState>(
      { state: "not-present" },
      { state: "pulling" },
      { state: "available" },
      { state: "loading" },
      { state: "loaded", sizeVram: 1, stale: false },
      { state: "error", during: "loading", reason: "x" },
    );
    fc.assert(
      fc.property(state, (now) => {
        expect(afterSight(record(now), { seen: "nothing" }, at)).toEqual(record(now));
      }),
    );
  });

  it("S2.62 only a complete look proves absence", () => {
    const look = {
      state: "observed",
      store: "ollama:local",
      complete: true,
      holdings: [] as readonly Holding[],
      unreadable: [],
      warnings: [],
    } as const;
    expect(sightOf(look, () => undefined)).toEqual({ seen: "absent" });
    expect(sightOf({ ...look, complete: false }, () => undefined)).toEqual({ seen: "nothing" });
    expect(sightOf(undefined, () => holding)).toEqual({ seen: "nothing" });
    expect(
      sightOf({ state: "unknown", store: "ollama:local", failure: { code: "timeout", retry: "transient", message: "late" } }, () => holding),
    ).toEqual({ seen: "nothing" });
    expect(sightOf(look, () => holding)).toEqual({ seen: "present", holding });
  });

  it("S4.117 tells memory, expiry and a stale runner", () => {
    const format = { bytes: (bytes: number) => `${bytes / 1e9} GB`, duration: (ms: number) => `${ms / 60_000}m` };
    const state = afterSight(record({ state: "available" }), loaded("0".repeat(64)), at).now;
    expect(state).toMatchObject({ stale: true });
    expect(describeState(state, at, format)).toBe("loaded, 5.2 GB VRAM, for 5m, runs an older content");
    expect(describeState(state, "2026-11-22T00:00:00.000Z", format)).toContain("expiring");
    expect(describeState({ state: "error", during: "loading", reason: "no memory" }, at, format)).toBe("error while loading: no memory");
  });
});
