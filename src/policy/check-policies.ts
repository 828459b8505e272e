import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Policy } from "../domain/policy.ts";
import { loadCel } from "./cel-module.ts";
import { compilePolicy } from "./compiled-policy.ts";
import { unitsPerEvaluation } from "./judge.ts";
import { Meter } from "./meter.ts";
import { meteredEnvironment } from "./metered-environment.ts";

/** Every expression that could never be evaluated, as findings about the manifests; the tests in the policies are not run. */
export async function checkPolicies(policies: readonly Policy[]): Promise<readonly Diagnostic[]> {
  if (policies.length === 0) return [];
  const cel = await loadCel();
  const env = meteredEnvironment(cel, new Meter(unitsPerEvaluation));
  return policies.flatMap((policy) =>
    compilePolicy(cel, env, policy).faults.map((fault): Diagnostic => ({
      severity: "error",
      code: "policy.expression",
      message: `policy ${JSON.stringify(policy.metadata.name)}: ${fault.problem}`,
      location: policy.metadata.location,
      pointer: fault.pointer,
      remedy: "write a CEL expression over action, model, plan, host and variables that is true when the rule holds",
    })),
  );
}
