import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Segment, YamlDocument } from "./yaml-document.ts";

/** What is wrong at one place of a document. */
export interface Finding {
  readonly severity?: Diagnostic["severity"];
  readonly code: string;
  readonly path: readonly Segment[];
  /** `key` points at the key of the place, `value` (default) at what is written there. */
  readonly at?: "key" | "value";
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** Makes a diagnostic of a finding: file, line, column and JSON pointer come from the document. */
export function diagnosticOf(document: YamlDocument, finding: Finding): Diagnostic {
  return {
    severity: finding.severity ?? "error",
    code: finding.code,
    message: finding.message,
    location: document.locate(finding.path, finding.at ?? "value"),
    pointer: jsonPointer(finding.path),
    ...(finding.remedy === undefined ? {} : { remedy: finding.remedy }),
  };
}

/** How a place is named to people: `spec.roles[1].priority`. */
export function placeText(path: readonly Segment[]): string {
  let text = "";
  for (const segment of path) {
    if (typeof segment === "number") text += `[${segment}]`;
    else text += `${text === "" ? "" : "."}${/^[A-Za-z_][\w-]*$/.test(segment) ? segment : JSON.stringify(segment)}`;
  }
  return text === "" ? "the document" : text;
}

function jsonPointer(path: readonly Segment[]): string {
  return path.map((segment) => `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
