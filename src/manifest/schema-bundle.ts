import { schemas, type SchemaName } from "./schemas.ts";
import { compareText } from "../domain/diagnostic.ts";

/**
 * A schema as one self-contained document: what it takes from other files is put below `definitions`, under the name of the file. Editors and
 * programs that get a single file can use it as it is.
 */
export function bundledSchema(name: SchemaName): unknown {
  const files = new Map<string, unknown>();
  const root = rewrite(schemas[name], undefined, files);
  const parts = [...files].toSorted(([a], [b]) => compareText(a, b));
  if (!isRecord(root) || parts.length === 0) return root;
  const own = isRecord(root["definitions"]) ? root["definitions"] : {};
  return { ...root, definitions: { ...own, ...Object.fromEntries(parts) } };
}

/** Copies a schema so that every reference leads into the bundle; `file` is the part it comes from, undefined for the root. */
function rewrite(node: unknown, file: string | undefined, files: Map<string, unknown>): unknown {
  if (Array.isArray(node)) return node.map((item) => rewrite(item, file, files));
  if (!isRecord(node)) return node;
  const entries = Object.entries(node)
    .filter(([key]) => file === undefined || (key !== "$schema" && key !== "$id"))
    .map(([key, value]) => [key, key === "$ref" && typeof value === "string" ? target(value, file, files) : rewrite(value, file, files)]);
  return Object.fromEntries(entries);
}

function target(ref: string, file: string | undefined, files: Map<string, unknown>): string {
  const [from = "", path = ""] = ref.split("#");
  const part = from === "" ? file : from;
  if (part === undefined) return ref;
  include(part, files);
  return `#/definitions/${part}${path}`;
}

function include(part: string, files: Map<string, unknown>): void {
  if (files.has(part)) return;
  const schema = Object.values(schemas).find(({ $id }) => $id === part);
  files.set(part, undefined);
  files.set(part, rewrite(schema, part, files));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
