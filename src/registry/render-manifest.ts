import { Document } from "yaml";
import type { ManifestObject } from "./migrate.ts";

/** The text of a manifest file. `schema` is where editors find the JSON Schema, as a URL or a path relative to the file. */
export function renderManifest(manifest: ManifestObject, schema: string): string {
  const document = new Document(manifest, { version: "1.2" });
  return `# yaml-language-server: $schema=${schema}\n${document.toString({ lineWidth: 0 })}`;
}
