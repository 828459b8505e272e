import { join } from "node:path";
import type { Host } from "./host.ts";

/** A path below the manifests that no file has yet, and none that is about to be written: what a person wrote is never replaced. */
export async function freeManifestPath(
  host: Host,
  folder: string,
  wanted: { readonly name: string; readonly planned: readonly { readonly path: string }[] },
): Promise<string> {
  const base = join(host.paths.manifests, folder, wanted.name.replaceAll(/[^A-Za-z0-9._-]/g, "_"));
  for (let number = 1; ; number++) {
    const path = `${base}${number === 1 ? "" : `-${number}`}.yaml`;
    if (!wanted.planned.some((file) => file.path === path) && (await host.outputs.read(path)) === undefined) return path;
  }
}
