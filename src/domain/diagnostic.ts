/** A place in a text file; line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One finding about what a person wrote: severity, what is wrong, where, and what to write instead. */
export interface Diagnostic {
  readonly severity: "error" | "warning" | "note";
  /** Stable machine name, for example `schema.unknown-key` or `model.duplicate-name`. */
  readonly code: string;
  readonly message: string;
  readonly location?: SourceLocation;
  /** JSON pointer (RFC 6901) into the document. */
  readonly pointer?: string;
  /** What to write instead, or the command that mends it. */
  readonly remedy?: string;
}

/** True when at least one finding is an error. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}

/** Orders findings by file, line, column and code, so that output does not depend on the order of checks. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const key = (d: Diagnostic): readonly [string, number, number, string] => [
    d.location?.file ?? "",
    d.location?.line ?? 0,
    d.location?.column ?? 0,
    d.code,
  ];
  return diagnostics.toSorted((a, b) => {
    const [fileA, lineA, columnA, codeA] = key(a);
    const [fileB, lineB, columnB, codeB] = key(b);
    return compareText(fileA, fileB) || lineA - lineB || columnA - columnB || compareText(codeA, codeB);
  });
}

/** Compares by UTF-16 code units, so that sorting never depends on the locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
