import { describe, expect, it } from "vitest";
import { createClock } from "../../../src/adapters/system/clock.ts";

describe("clock", () => {
  it("tells the time as ISO 8601 in UTC and sleeps", async () => {
    const clock = createClock();
    const before = clock.now();
    await clock.sleep(5, new AbortController().signal);
    const after = clock.now();
    expect(before).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Date.parse(after)).toBeGreaterThan(Date.parse(before));
  });

  it("wakes with the signal's reason, before or during the sleep", async () => {
    const clock = createClock();
    const reason = new Error("stop");
    await expect(clock.sleep(3_600_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const sleeping = clock.sleep(3_600_000, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});
