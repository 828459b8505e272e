import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Policy } from "../domain/policy.ts";
import { checkPolicies } from "../policy/check-policies.ts";
import { testPolicies } from "../policy/test-policies.ts";

/** Everything that is wrong with policies: expressions that cannot be evaluated, and tests in the policy files that do not hold. */
export async function policyFindings(policies: readonly Policy[]): Promise<readonly Diagnostic[]> {
  const faults = await checkPolicies(policies);
  if (faults.length > 0) return faults;
  const failures = (await testPolicies(policies)).filter((result) => !result.passed);
  return failures.map((result): Diagnostic => {
    const location = policies.find((policy) => policy.metadata.name === result.policy)?.metadata.location;
    return {
      severity: "error",
      code: "policy.test",
      message: `policy ${JSON.stringify(result.policy)}: test ${JSON.stringify(result.test)} expects ${result.expected} and gets ${result.actual}${result.messages.length === 0 ? "" : `: ${result.messages.join("; ")}`}`,
      ...(location === undefined ? {} : { location }),
      remedy: "change the expression or the expectation",
    };
  });
}
