import type { Policy } from "../../src/domain/policy.ts";

/** A Deny policy with one expression; tests overwrite the rest. */
export function policyWith(expression: string, parts: Partial<Policy> = {}): Policy {
  return {
    kind: "Policy",
    metadata: { name: "rule", labels: {}, annotations: {}, location: { file: "policies/rule.yaml", line: 1, column: 1 } },
    action: "Deny",
    failurePolicy: "Fail",
    matchConditions: [],
    variables: [],
    validations: [{ expression, message: "the rule does not hold" }],
    tests: [],
    ...parts,
  };
}
