import type { Metadata } from "../domain/resource.ts";
import type { Role } from "../domain/role.ts";
import type { WrittenRole } from "./written/role.ts";

/** Decodes a Role that its schema has accepted. */
export function decodeRole(written: WrittenRole, metadata: Metadata): Role {
  const { requires, minContext, prefer, fallback } = written.spec;
  return {
    kind: "Role",
    metadata,
    requires: [...new Set(requires)],
    ...(minContext === undefined ? {} : { minContext }),
    prefer: [...new Set(prefer)],
    ...(fallback === undefined ? {} : { fallback }),
  };
}
