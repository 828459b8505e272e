import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseProfile, profiles, type ProfileInput } from "../../../src/domain/selection/profile.ts";

function nameOf(input: ProfileInput): string {
  const chosen = chooseProfile(input);
  return chosen === undefined
    ? "off"
    : "unknown" in chosen
      ? `unknown ${chosen.unknown}`
      : `${chosen.profile.name} by ${chosen.from}${chosen.limits ? "" : ", no limits"}`;
}

describe("deployment profiles", () => {
  it.each([
    [[], "development by default, no limits"],
    [[8192], "development by gpu"],
    [[16_380], "constrained_16gb by gpu"],
    [[24_564], "balanced_24gb by gpu"],
    [[97_887], "generous_96gb by gpu"],
    [[16_380, 16_380], "multi_gpu_2x16gb by gpu"],
    [[12_288, 12_288], "development by gpu"],
    [[24_564, 8192], "balanced_24gb by gpu"],
    [[24_564, 24_564, 24_564], "generous_96gb by gpu"],
    [[16_380, 16_380, 16_380], "balanced_24gb by gpu"],
    [[8192, 8192, 8192], "constrained_16gb by gpu"],
  ])("S1.7 GPUs with %j MiB make it %s", (gpus, expected) => {
    expect(nameOf({ gpus })).toBe(expected);
  });

  it("S1.7 the option goes before the environment, the environment before the GPUs, and `none` switches profiles off", () => {
    expect(nameOf({ option: "development", environment: "generous_96gb", gpus: [24_564] })).toBe("development by option");
    expect(nameOf({ environment: "generous_96gb", gpus: [24_564] })).toBe("generous_96gb by environment");
    expect(nameOf({ environment: "of my own", gpus: [24_564] })).toBe("balanced_24gb by gpu");
    expect(nameOf({ option: "none", environment: "generous_96gb" })).toBe("off");
    expect(nameOf({ option: "huge" })).toBe("unknown huge");
  });

  it("always finds a profile for any machine", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 8 }), (gpus) =>
        profiles.some(({ name }) => nameOf({ gpus }).startsWith(name)),
      ),
    );
  });
});
