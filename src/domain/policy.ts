import type { Metadata } from "./resource.ts";

/** One CEL expression with the message shown when it is not exactly `true`. */
export interface PolicyValidation {
  readonly expression: string;
  readonly message: string;
}

/** A rule that every action of a plan must satisfy; shaped like the Kubernetes ValidatingAdmissionPolicy. Manifest kind `Policy`. */
export interface Policy {
  readonly kind: "Policy";
  readonly metadata: Metadata;
  readonly action: "Deny" | "Warn" | "Audit";
  readonly failurePolicy: "Fail" | "Ignore";
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly PolicyValidation[];
  readonly tests: readonly { readonly name: string; readonly input: unknown; readonly expect: "allow" | "deny" | "warn" }[];
}

/** What a policy or a built-in guard says about a plan or one of its actions. */
export interface Verdict {
  readonly rule: string;
  readonly effect: "deny" | "warn" | "audit";
  readonly message: string;
  /** Action the verdict is about; undefined = the whole plan. */
  readonly actionId?: string;
  readonly remedy?: string;
}
