import type { ErrorObject } from "ajv";
import type { Backend } from "../domain/backend.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Model } from "../domain/model.ts";
import type { Policy } from "../domain/policy.ts";
import type { Kind, Metadata } from "../domain/resource.ts";
import type { Role } from "../domain/role.ts";
import { decodeBackend } from "./decode-backend.ts";
import type { Declared, DecodeOptions } from "./decode-context.ts";
import { decodeModel } from "./decode-model.ts";
import { decodePolicy } from "./decode-policy.ts";
import { decodeRole } from "./decode-role.ts";
import { diagnosticOf, type Finding } from "./finding.ts";
import { suggestion } from "./nearest.ts";
import { quote } from "./quote.ts";
import { schemaFindings } from "./schema-findings.ts";
import { validate } from "./validate.ts";
import type { WrittenMetadata } from "./written/common.ts";
import type { YamlDocument } from "./yaml-document.ts";

/** A decoded manifest of any kind. */
export type AnyDeclared =
  | ({ readonly kind: "Model" } & Declared<Model>)
  | ({ readonly kind: "Role" } & Declared<Role>)
  | ({ readonly kind: "Backend" } & Declared<Backend>)
  | ({ readonly kind: "Policy" } & Declared<Policy>);

/** What one document says. */
export interface DocumentResult {
  readonly declared?: AnyDeclared;
  /** The name of a manifest that has errors. */
  readonly brokenName?: { readonly kind: Kind; readonly name: string };
  readonly diagnostics: readonly Diagnostic[];
}

const kinds: readonly Kind[] = ["Model", "Role", "Backend", "Policy"];

/** Decodes one document by its kind. Policies live in a folder of their own, so that the right to change rules can be a right of its own. */
export function decodeDocument(document: YamlDocument, folder: "manifests" | "policies", options: DecodeOptions): DocumentResult {
  const { value } = document;
  if (value === null || value === undefined) {
    return only(document, {
      severity: "note",
      code: "yaml.empty-document",
      path: [],
      message: "the document is empty and declares nothing",
      remedy: "remove the extra --- line, or the file",
    });
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    return only(document, {
      code: "manifest.not-a-mapping",
      path: [],
      message: "a manifest is a mapping with apiVersion, kind, metadata and spec",
      remedy: "start with apiVersion: holdfast.dev/v1",
    });
  }
  const written: unknown = "kind" in value ? value.kind : undefined;
  const kind = kinds.find((candidate) => candidate === written);
  if (kind === undefined) return only(document, kindFinding(written));
  if ((kind === "Policy") !== (folder === "policies")) {
    const message =
      kind === "Policy" ? "policies are read only from the folder of the policies" : `a ${kind} is not read from the folder of the policies`;
    return only(document, {
      code: "manifest.folder",
      path: ["kind"],
      message,
      remedy: kind === "Policy" ? "move the document to policies/" : "move the document to manifests/",
    });
  }
  return decodeKind(kind, document, options);
}

function only(document: YamlDocument, finding: Finding): DocumentResult {
  return { diagnostics: [diagnosticOf(document, finding)] };
}

function kindFinding(written: unknown): Finding {
  if (written === undefined)
    return { code: "schema.missing-key", path: [], message: "kind is missing", remedy: `add kind: with one of ${kinds.join(", ")}` };
  return { code: "manifest.kind", path: ["kind"], message: `there is no kind ${quote(written)}`, remedy: suggestion(String(written), kinds) };
}

function decodeKind(kind: Kind, document: YamlDocument, options: DecodeOptions): DocumentResult {
  const metadata = (written: WrittenMetadata): Metadata => ({ ...written, location: document.locate(["metadata", "name"], "value") });
  switch (kind) {
    case "Model": {
      const checked = validate("model", document.value);
      if ("errors" in checked) return rejected(kind, document, checked.errors);
      const { value, findings } = decodeModel(checked.data, metadata(checked.data.metadata), options);
      return accepted({ kind, value, document }, findings);
    }
    case "Role": {
      const checked = validate("role", document.value);
      if ("errors" in checked) return rejected(kind, document, checked.errors);
      return accepted({ kind, value: decodeRole(checked.data, metadata(checked.data.metadata)), document }, []);
    }
    case "Backend": {
      const checked = validate("backend", document.value);
      if ("errors" in checked) return rejected(kind, document, checked.errors);
      const { value, findings } = decodeBackend(checked.data, metadata(checked.data.metadata), options);
      return accepted({ kind, value, document }, findings);
    }
    case "Policy": {
      const checked = validate("policy", document.value);
      if ("errors" in checked) return rejected(kind, document, checked.errors);
      return accepted({ kind, value: decodePolicy(checked.data, metadata(checked.data.metadata)), document }, []);
    }
  }
}

function rejected(kind: Kind, document: YamlDocument, errors: readonly ErrorObject[]): DocumentResult {
  const diagnostics = schemaFindings(document, errors).map((finding) => diagnosticOf(document, finding));
  const name = writtenName(document.value);
  return { diagnostics, ...(name === undefined ? {} : { brokenName: { kind, name } }) };
}

function accepted(declared: AnyDeclared, findings: readonly Finding[]): DocumentResult {
  return { declared, diagnostics: findings.map((finding) => diagnosticOf(declared.document, finding)) };
}

function writtenName(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("metadata" in value)) return undefined;
  const { metadata } = value;
  if (typeof metadata !== "object" || metadata === null || !("name" in metadata)) return undefined;
  return typeof metadata.name === "string" ? metadata.name : undefined;
}
