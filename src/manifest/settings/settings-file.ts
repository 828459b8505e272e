import type { Diagnostic } from "../../domain/diagnostic.ts";
import type { TextFile } from "../../ports/project-source.ts";
import { diagnosticOf } from "../finding.ts";
import { manifestLimits, readYaml } from "../read-yaml.ts";
import { schemaFindings } from "../schema-findings.ts";
import { validate } from "../validate.ts";
import type { YamlDocument } from "../yaml-document.ts";
import type { FileValue } from "./layers.ts";
import { settingsByKey } from "./setting.ts";

/** The settings that a file gives, by key. A file with errors gives none. */
export interface DecodedSettingsFile {
  readonly values: ReadonlyMap<string, FileValue>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Decodes a settings file by its schema. */
export function decodeSettingsFile(file: TextFile): DecodedSettingsFile {
  const { documents, diagnostics } = readYaml(file, manifestLimits);
  const [document, second] = documents;
  if (diagnostics.length > 0 || document === undefined) return { values: new Map(), diagnostics };
  if (second !== undefined)
    return {
      values: new Map(),
      diagnostics: [
        diagnosticOf(second, { code: "settings.documents", path: [], message: "a settings file is one document", remedy: "remove the --- line" }),
      ],
    };
  if (document.value === null) return { values: new Map(), diagnostics: [] };
  const checked = validate("settings", document.value);
  if ("errors" in checked)
    return { values: new Map(), diagnostics: schemaFindings(document, checked.errors).map((finding) => diagnosticOf(document, finding)) };
  return { values: valuesOf(document), diagnostics: [] };
}

function valuesOf(document: YamlDocument): ReadonlyMap<string, FileValue> {
  const values = new Map<string, FileValue>();
  for (const key of settingsByKey.keys()) {
    const path = key.split(".");
    const value = path.reduce<unknown>(
      (node, name) => (typeof node === "object" && node !== null ? Object.entries(node).find(([member]) => member === name)?.[1] : undefined),
      document.value,
    );
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") continue;
    const { file, line } = document.locate(path, "key");
    values.set(key, { value, place: `${file}:${line}` });
  }
  return values;
}
