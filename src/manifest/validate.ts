import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { schemas, type SchemaName } from "./schemas.ts";
import type { WrittenBackend } from "./written/backend.ts";
import type { WrittenDriftReport } from "./written/drift-report.ts";
import type { WrittenLock } from "./written/lock.ts";
import type { WrittenModel } from "./written/model.ts";
import type { WrittenPlan } from "./written/plan.ts";
import type { WrittenPolicy } from "./written/policy.ts";
import type { WrittenRole } from "./written/role.ts";
import type { WrittenSettings } from "./written/settings.ts";

/** What data is once the schema of this name accepts it. The types are generated from the schemas. */
interface Written {
  readonly backend: WrittenBackend;
  readonly "drift-report": WrittenDriftReport;
  readonly lock: WrittenLock;
  readonly model: WrittenModel;
  readonly plan: WrittenPlan;
  readonly policy: WrittenPolicy;
  readonly role: WrittenRole;
  readonly settings: WrittenSettings;
}

/** Data that a schema accepts, or everything that is wrong with it. */
export type Validated<T> = { readonly data: T } | { readonly errors: readonly ErrorObject[] };

let instances: { readonly filling: Ajv; readonly plain: Ajv } | undefined;
const compiled = new Map<SchemaName, ValidateFunction>();

/** Checks data against a published schema; defaults are filled into it, except for settings, where their absence means something. */
export function validate<K extends keyof Written>(name: K, data: unknown): Validated<Written[K]> {
  const check = compiled.get(name) ?? compile(name);
  if (accepts<Written[K]>(check, data)) return { data };
  return { errors: check.errors ?? [] };
}

function accepts<T>(check: ValidateFunction, data: unknown): data is T {
  return check(data);
}

function compile(name: keyof Written): ValidateFunction {
  instances ??= { filling: newAjv(true), plain: newAjv(false) };
  const check = (name === "settings" ? instances.plain : instances.filling).compile(schemas[name]);
  compiled.set(name, check);
  return check;
}

function newAjv(useDefaults: boolean): Ajv {
  const ajv = new Ajv({ allErrors: true, verbose: true, useDefaults, validateSchema: false, code: { optimize: false } });
  ajv.addVocabulary(["tsType", "environment"]);
  ajv.addSchema(schemas.common);
  return ajv;
}
