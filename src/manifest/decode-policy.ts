import type { Policy } from "../domain/policy.ts";
import type { Metadata } from "../domain/resource.ts";
import type { WrittenPolicy } from "./written/policy.ts";

/** Decodes a Policy that its schema has accepted; the expressions are compiled where they are evaluated. */
export function decodePolicy(written: WrittenPolicy, metadata: Metadata): Policy {
  const { action, failurePolicy, matchConditions, variables, validations, tests } = written.spec;
  return { kind: "Policy", metadata, action, failurePolicy, matchConditions, variables, validations, tests };
}
