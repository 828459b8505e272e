import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseProfile } from "../../../src/domain/selection/profile.ts";
import type { Candidate } from "../../../src/domain/selection/candidate.ts";
import { select } from "../../../src/domain/selection/selection.ts";
import { ask, candidate, claim, live, pick, role, sees, up, world } from "./selection-world.ts";

describe("selecting by role", () => {
  const low = candidate("low", { ...claim("caption", 10), ...sees });
  const high = candidate("high", { ...claim("caption", 90), ...sees });
  const blind = candidate("blind", claim("caption", 99));

  it("S1.5 S2.39 S3.13 S3.78 S3.80 takes only models with the role, and for a visual one only models that see", () => {
    expect(pick([blind, low, candidate("other", sees)], ask("caption"))).toBe("low by role");
    expect(pick([blind], ask("caption"))).toBe("lacks-capability: failed to resolve role 'caption': capability error: blind cannot do vision");
  });

  it("S3.76 S3.77 S3.86 a preference wins if it qualifies and is no demand", () => {
    expect(pick([low, high], ask("caption", { prefer: "low" }))).toBe("low by role");
    expect(select(ask("caption", { prefer: "blind" }), world([low, high, blind]))).toMatchObject({
      candidate: { name: "high" },
      warnings: ["not blind, which was preferred: capability error: blind cannot do vision"],
    });
    expect(select(ask("caption", { prefer: "nobody" }), world([low]))).toMatchObject({
      warnings: ["not nobody, which was preferred: no model is called nobody"],
    });
  });

  it("K17 S3.85 orders by the role's preference, then priority in the declared direction, then name, the fallback last", () => {
    const roles = [role("caption", { prefer: ["low"], fallback: "high" })];
    expect(pick([low, high], ask("caption"))).toBe("high by role");
    expect(pick([low, high], ask("caption", { priority: "lower-wins" }))).toBe("low by role");
    expect(pick([low, high], ask("caption"), { roles })).toBe("low by role");
    expect(pick([high, candidate("mid", { ...claim("caption", 1), ...sees })], ask("caption"), { roles })).toBe("mid by role");
    expect(pick([high], ask("caption"), { roles })).toBe("high by role");
    expect(pick([candidate("b", { ...claim("caption"), ...sees }), candidate("a", { ...claim("caption"), ...sees })], ask("caption"))).toBe(
      "a by role",
    );
  });

  it("S3.62 S3.63 S3.75 S3.90 a new role needs nothing but its name, and demands may be added to it", () => {
    const models = [candidate("plain", claim("poems", 9)), candidate("tools", { ...claim("poems"), capabilities: { tools: true } })];
    expect(pick(models, ask("poems"))).toBe("plain by role");
    expect(pick(models, ask("poems", { requires: ["function_calling"] }))).toBe("tools by role");
    expect(pick(models, ask("poems"), { roles: [role("poems", { requires: ["tools"] })] })).toBe("tools by role");
  });

  it("S1.7 the profile keeps out what does not fit, and decides among equals", () => {
    const profile = chooseProfile({ option: "constrained_16gb" });
    if (profile === undefined || "unknown" in profile) throw new Error("no profile");
    const models = [
      candidate("a", { ...claim("r"), vramMb: 13_000 }),
      candidate("b", { ...claim("r"), vramMb: 5000 }),
      candidate("huge", { ...claim("r", 9), vramMb: 50_000 }),
    ];
    expect(pick(models, ask("r"), { profile })).toBe("b by role");
    expect(pick(models, ask("r"))).toBe("huge by role");
    expect(pick(models, ask("r"), { profile: { ...profile, limits: false } })).toBe("huge by role");
    const quality = chooseProfile({ option: "generous_96gb" });
    if (quality === undefined || "unknown" in quality) throw new Error("no profile");
    const kinds = [candidate("a", { ...claim("r"), quantization: "q4_k_m" }), candidate("b", { ...claim("r"), quantization: "Q8_0" })];
    expect(pick(kinds, ask("r"), { profile: quality })).toBe("b by role");
    const mixed = [
      candidate("small", { ...claim("r"), vramMb: 10, quantization: "Q8_0" }),
      candidate("suited", { ...claim("r"), vramMb: 20, quantization: "q4_k_m" }),
    ];
    expect(pick(mixed, ask("r"), { profile })).toBe("small by role");
    expect(
      pick(
        [
          candidate("small", { ...claim("r"), vramMb: 10, quantization: "q4_k_m" }),
          candidate("suited", { ...claim("r"), vramMb: 20, quantization: "Q8_0" }),
        ],
        ask("r"),
        { profile: quality },
      ),
    ).toBe("suited by role");
  });

  it("passes over what cannot be reached, and says so; with nobody left it names the closest", () => {
    const served = candidate("v", { ...claim("caption", 99), ...sees, backend: "gpu", backendType: "vllm" });
    const backends = live(up("local", "ollama", "low:1b"), up("gpu", "vllm", "another"));
    expect(select(ask("caption"), world([low, served], backends))).toMatchObject({
      candidate: { name: "low" },
      warnings: [expect.stringContaining("passed over v: gpu at http://gpu serves another, not v")],
    });
    expect(select(ask("caption"), world([blind, served], backends))).toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("none of 2 models qualifies; the closest: gpu at http://gpu serves another"),
    });
  });

  it("S3.79 S3.87 says that no model has the role, and to add it", () => {
    expect(select(ask("role/caption"), world([candidate("a")]))).toMatchObject({
      kind: "absent",
      message: "failed to resolve role 'caption': no model has the role and vision",
      remedy: "add caption to the roles of a Model that fits",
    });
  });

  it("leaves deprecated models out unless they are asked for", () => {
    const old = candidate("old", { ...claim("r"), deprecated: {} });
    expect(pick([old], ask("r"))).toBe("filtered: failed to resolve role 'r': old is deprecated");
    expect(pick([old], ask("r", { includeDeprecated: true }))).toBe("old by role");
  });

  it("explains every candidate: chosen, lost and why, excluded and why", () => {
    const { trail } = select(ask("caption"), world([low, high, blind, candidate("same", { ...claim("caption", 90), ...sees })]));
    expect(trail).toEqual([
      { name: "high", outcome: "chosen", because: "the first of 3 that qualify" },
      { name: "same", outcome: "lost", because: "it is equal in everything, and its name comes after high" },
      { name: "low", outcome: "lost", because: "its priority is 10, that of high is 90" },
      { name: "blind", outcome: "excluded", because: "capability error: blind cannot do vision" },
    ]);
  });
});

describe("selection as a function", () => {
  const any: fc.Arbitrary<readonly Candidate[]> = fc
    .uniqueArray(
      fc.record({
        name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
        priority: fc.integer({ min: 0, max: 2 }),
        vision: fc.boolean(),
        deprecated: fc.boolean(),
        testing: fc.boolean(),
        vramMb: fc.option(fc.integer({ min: 1, max: 3 }), { nil: 0 }),
      }),
      { selector: ({ name }) => name },
    )
    .map((list) =>
      list.map(({ name, priority, vision, deprecated, testing, vramMb }) =>
        candidate(name, {
          ...claim("caption", priority),
          capabilities: { text: true, vision },
          testing,
          vramMb,
          ...(deprecated ? { deprecated: {} } : {}),
        }),
      ),
    );

  it("S1.4 the same request in the same world has the same answer, in whatever order the models come", () => {
    fc.assert(
      fc.property(any, fc.option(fc.constantFrom("a", "b", "z"), { nil: undefined }), (candidates, prefer) => {
        const request = ask("role/caption", prefer === undefined ? {} : { prefer });
        const answer = select(request, world(candidates));
        expect(select(request, world(candidates.toReversed()))).toEqual(answer);
        expect(answer.trail.map(({ name }) => name).toSorted()).toEqual(candidates.map(({ name }) => name).toSorted());
        if (answer.state === "selected") expect(answer.candidate).toMatchObject({ testing: false, capabilities: { vision: true } });
        else
          expect(
            candidates.every(({ testing, deprecated, capabilities }) => testing || deprecated !== undefined || capabilities["vision"] !== true),
          ).toBe(true);
      }),
    );
  });
});
