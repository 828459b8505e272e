import backend from "./schemas/backend.schema.json" with { type: "json" };
import common from "./schemas/common.schema.json" with { type: "json" };
import driftReport from "./schemas/drift-report.schema.json" with { type: "json" };
import lock from "./schemas/lock.schema.json" with { type: "json" };
import manifest from "./schemas/manifest.schema.json" with { type: "json" };
import model from "./schemas/model.schema.json" with { type: "json" };
import plan from "./schemas/plan.schema.json" with { type: "json" };
import policy from "./schemas/policy.schema.json" with { type: "json" };
import role from "./schemas/role.schema.json" with { type: "json" };
import settings from "./schemas/settings.schema.json" with { type: "json" };

/** The published schemas by name; each refers to others by their file names. */
export const schemas = { backend, common, "drift-report": driftReport, lock, manifest, model, plan, policy, role, settings } as const;

/** Name of a published schema. */
export type SchemaName = keyof typeof schemas;

/** The names of all published schemas, sorted. */
export const schemaNames: readonly string[] = Object.keys(schemas).toSorted();

/** True for the name of a published schema. */
export function isSchemaName(name: string): name is SchemaName {
  return Object.hasOwn(schemas, name);
}

/** Address that files written by Holdfast give for a schema; the file itself is printed by `holdfast schema <name>`. */
export function schemaAddress(name: SchemaName): string {
  return `https://holdfast.dev/schemas/v1/${name}.schema.json`;
}
