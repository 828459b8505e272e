import type { Diagnostic } from "../../src/domain/diagnostic.ts";
import { decodeProject, type DecodedProject } from "../../src/manifest/decode.ts";
import type { ProjectFiles, TextFile } from "../../src/ports/project-source.ts";

export const options = { root: "/srv/project", home: "/home/ann", defaultModelsDir: "/srv/models" };

/** Decodes texts as manifests/a.yaml, manifests/b.yaml, ... */
export function decodeTexts(...texts: readonly string[]): DecodedProject {
  return decodeFiles({ manifests: texts.map((text, index) => ({ path: `manifests/${String.fromCharCode(97 + index)}.yaml`, text })) });
}

export function decodeFiles(files: Partial<ProjectFiles>): DecodedProject {
  return decodeProject({ revision: { dirty: false, digest: "d" }, manifests: [], policies: [], problems: [], ...files }, options);
}

/** What a person reads, one line for each finding. */
export function told(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map(({ severity, code, message, location, remedy }) => {
      const place = location === undefined ? "" : `${location.file}:${location.line}:${location.column} `;
      return `${place}${severity}[${code}] ${message}${remedy === undefined ? "" : ` -> ${remedy}`}`;
    })
    .join("\n");
}

/** Everything that is said about texts that are decoded as manifests. */
export function toldOf(...texts: readonly string[]): string {
  return told(decodeTexts(...texts).diagnostics);
}

/** A manifest with a spec in flow form. */
export function manifest(kind: string, name: string, spec: string): string {
  return `apiVersion: holdfast.dev/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\nspec: ${spec}\n`;
}

export function model(name: string, spec = `{source: {ollama: {model: ${name}}}}`): string {
  return manifest("Model", name, spec);
}

export function documents(...parts: readonly string[]): string {
  return parts.join("---\n");
}

export function textFile(path: string, text: string): TextFile {
  return { path, text };
}
