import { Document } from "yaml";
import type { ManifestObject } from "./migrate.ts";

/** The text of a manifest file; its first line tells editors where the JSON Schema is. */
export function renderManifest(manifest: ManifestObject): string {
  const schema = `https://holdfast.dev/schemas/v1/${manifest.kind.toLowerCase()}.schema.json`;
  return `# yaml-language-server: $schema=${schema}\n${new Document(manifest, { version: "1.2" }).toString({ lineWidth: 0 })}`;
}
