import { failed } from "../../domain/failure.ts";
import { bundledSchema } from "../../manifest/schema-bundle.ts";
import { isSchemaName, schemaNames } from "../../manifest/schemas.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast schema [KIND]`: prints a published JSON Schema, offline. */
export async function schema(_session: Session, _options: CommonOptions, [kind = "manifest"]: readonly string[]): Promise<number> {
  const name = kind.toLowerCase();
  if (!isSchemaName(name))
    throw failed("invalid-input", `there is no schema ${JSON.stringify(kind)}`, { remedy: `one of: ${schemaNames.join(", ")}` });
  process.stdout.write(`${JSON.stringify(bundledSchema(name), undefined, 2)}\n`);
  return 0;
}
