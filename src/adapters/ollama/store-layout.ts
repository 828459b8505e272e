import { join } from "node:path";
import type { ManifestLayer } from "./manifest-text.ts";

/** Both folders in which manifests may lie; what is in the first wins. */
export const manifestRoots = ["manifests-v2", "manifests"] as const;

export type ManifestRoot = (typeof manifestRoots)[number];

export function blobsFolder(directory: string): string {
  return join(directory, "blobs");
}

/** `fileName` was matched against the digest pattern when the manifest was read. */
export function blobPath(directory: string, layer: Pick<ManifestLayer, "fileName">): string {
  return join(blobsFolder(directory), layer.fileName);
}

/** How servers before 2024 spelled the same file. */
export function oldBlobPath(directory: string, layer: Pick<ManifestLayer, "fileName">): string {
  return join(blobsFolder(directory), layer.fileName.replace("sha256-", "sha256:"));
}
