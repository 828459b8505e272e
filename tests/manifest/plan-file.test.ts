import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Plan } from "../../src/domain/action.ts";
import { HoldfastError } from "../../src/domain/failure.ts";
import { planDigest } from "../../src/domain/plan/plan.ts";
import { decodePlan, encodePlan } from "../../src/manifest/plan-file.ts";
import { everyWork, fullPlan } from "./plan-samples.ts";

function refusal(text: string): string {
  try {
    decodePlan(text);
  } catch (error) {
    if (error instanceof HoldfastError) return `${error.failure.code}: ${error.failure.message}`;
    throw error;
  }
  return "accepted";
}

/** The plan file with one value replaced. */
function tampered(change: (plan: Record<string, unknown>) => void): string {
  const plan: Record<string, unknown> = JSON.parse(encodePlan(fullPlan()));
  change(plan);
  return JSON.stringify(plan);
}

describe("the plan file", () => {
  it("law: decode of encode is identity, for every kind of work, precondition, blocked thing and bookkeeping", () => {
    expect(decodePlan(encodePlan(fullPlan()))).toEqual(fullPlan());
    fc.assert(
      fc.property(fc.subarray([...everyWork.keys()]), (chosen) => {
        const { digest: _old, ...rest } = fullPlan();
        const body = { ...rest, actions: rest.actions.filter((_action, index) => chosen.includes(index)) };
        const plan: Plan = { ...body, digest: planDigest(body) };
        expect(decodePlan(encodePlan(plan))).toEqual(plan);
      }),
    );
  });

  it("has the same bytes for the same plan, in whatever order its members were made", () => {
    const reversed = <T>(value: T): T =>
      JSON.parse(JSON.stringify(value), (_key, member: unknown) =>
        typeof member === "object" && member !== null && !Array.isArray(member) ? Object.fromEntries(Object.entries(member).toReversed()) : member,
      );
    expect(encodePlan(reversed(fullPlan()))).toBe(encodePlan(fullPlan()));
    expect(encodePlan(fullPlan()).endsWith("}\n")).toBe(true);
  });

  it("can be reformatted", () => {
    expect(decodePlan(JSON.stringify(fullPlan()))).toEqual(fullPlan());
  });

  it("refuses what was changed after it was saved", () => {
    expect(refusal(tampered((plan) => (plan["blocked"] = [])))).toMatchInlineSnapshot(
      `"invalid-input: read the plan file: its content does not have the digest that it names, so it was changed after it was saved"`,
    );
    expect(refusal(tampered((plan) => Object.assign(plan["revision"] ?? {}, { dirty: true })))).toContain("does not have the digest");
  });

  it("refuses what is not a plan, and says where", () => {
    expect(refusal("{")).toMatchInlineSnapshot(`"invalid-input: read the plan file: it is not JSON"`);
    expect(refusal("[]")).toMatchInlineSnapshot(`"invalid-input: read the plan file: it names no format version"`);
    expect(refusal(tampered((plan) => delete plan["summary"]))).toMatchInlineSnapshot(
      `"invalid-input: read the plan file: the document must have required property 'summary'"`,
    );
    expect(
      refusal(
        tampered(
          (plan) =>
            (plan["actions"] = [{ ...fullPlan().actions[0], work: { verb: "pull", request: { kind: "ollama", model: "m", shell: "rm -rf /" } } }]),
        ),
      ),
    ).toContain("invalid-input: read the plan file: actions[0].work");
    expect(refusal(tampered((plan) => (plan["extra"] = 1)))).toContain("invalid-input");
    expect(refusal(encodePlan(fullPlan()).replace('"formatVersion"', '"__proto__": {"polluted": true}, "formatVersion"'))).toContain("invalid-input");
  });

  it("refuses another format version", () => {
    expect(refusal(tampered((plan) => (plan["formatVersion"] = "2.0")))).toMatchInlineSnapshot(
      `"invalid-input: read the plan file: it has format version 2.0, this Holdfast reads 1.0"`,
    );
    expect(refusal(tampered((plan) => (plan["formatVersion"] = "1.1")))).toContain("this Holdfast reads 1.0");
  });
});
