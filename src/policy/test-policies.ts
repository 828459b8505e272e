import type { Policy } from "../domain/policy.ts";
import { loadCel } from "./cel-module.ts";
import { toCelInput } from "./cel-input.ts";
import { compilePolicy, declaredNames, type CompiledPolicy } from "./compiled-policy.ts";
import { judge, unitsPerEvaluation, type Bindings, type Finding } from "./judge.ts";
import { Meter } from "./meter.ts";
import { meteredEnvironment } from "./metered-environment.ts";

/** How one test of a policy file ended. */
export interface PolicyTestResult {
  readonly policy: string;
  readonly test: string;
  readonly passed: boolean;
  readonly expected: "allow" | "deny" | "warn";
  readonly actual: "allow" | "deny" | "warn";
  /** What the policy said, or why the input is not usable. */
  readonly messages: readonly string[];
}

/** Runs the tests that stand in the policies; `input` gives `action`, `model`, `plan` and `host`, what is left out is empty. Audit is allow. */
export async function testPolicies(policies: readonly Policy[]): Promise<readonly PolicyTestResult[]> {
  const cel = await loadCel();
  const meter = new Meter(unitsPerEvaluation);
  const env = meteredEnvironment(cel, meter);
  return policies.flatMap((policy) => {
    const compiled = compilePolicy(cel, env, policy);
    return policy.tests.map((test) => runTest(compiled, test, meter));
  });
}

function runTest(compiled: CompiledPolicy, test: Policy["tests"][number], meter: Meter): PolicyTestResult {
  const result = { policy: compiled.policy.metadata.name, test: test.name, expected: test.expect };
  const input = decodeInput(test.input);
  if ("problem" in input) return { ...result, passed: false, actual: "deny", messages: [input.problem] };
  const findings = judge(compiled, input.bindings, meter);
  const actual = strongest(findings);
  return { ...result, passed: actual === test.expect, actual, messages: findings.map((finding) => `${finding.effect}: ${finding.message}`) };
}

function strongest(findings: readonly Finding[]): "allow" | "deny" | "warn" {
  if (findings.some((finding) => finding.effect === "deny")) return "deny";
  return findings.some((finding) => finding.effect === "warn") ? "warn" : "allow";
}

function decodeInput(input: unknown): { readonly bindings: Bindings } | { readonly problem: string } {
  if (input === null || typeof input !== "object" || Array.isArray(input))
    return { problem: "the input of a test is a map with action, model, plan and host" };
  const members = new Map<string, unknown>(Object.entries(input));
  const unknown = [...members.keys()].filter((key) => !declaredNames.some((name) => name === key));
  if (unknown.length > 0) return { problem: `the input has ${unknown.join(", ")}; there are ${declaredNames.join(", ")}` };
  const valueOf = (name: (typeof declaredNames)[number]): ReturnType<typeof toCelInput> => toCelInput(members.get(name) ?? {});
  return { bindings: { action: valueOf("action"), model: valueOf("model"), plan: valueOf("plan"), host: valueOf("host") } };
}
