import type { Metadata } from "./resource.ts";

/** A declared role: a contract that a model must meet to fill it. Manifest kind `Role`. */
export interface Role {
  readonly kind: "Role";
  readonly metadata: Metadata;
  /** Canonical capability names, all needed. */
  readonly requires: readonly string[];
  /** Tokens. */
  readonly minContext?: number;
  /** Model names, best first. */
  readonly prefer: readonly string[];
  readonly fallback?: string;
}
