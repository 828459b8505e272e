import { join } from "node:path";
import type { Diagnostic } from "../../domain/diagnostic.ts";
import { encodeEntries, type RegistryEntry } from "../../registry/entry.ts";
import { mergeLayers } from "../../registry/layers.ts";
import { decodeRegistry, splitSingleFile, type DecodedRegistry } from "../../registry/legacy.ts";
import { isOwnLayerEntry } from "../../registry/own-record.ts";
import type { Host } from "../host.ts";
import { beforeSplit, registryFiles } from "../publish.ts";
import type { Project } from "../read-project.ts";

/** Entries that somebody else wrote, and where they were found. */
export interface RegistrySource {
  readonly paths: readonly string[];
  readonly entries: readonly RegistryEntry[];
  /** Names that a person wrote; undefined where nothing tells. */
  readonly curated?: ReadonlySet<string>;
  readonly findings: readonly Diagnostic[];
}

/** The entries of one registry file of any era. */
export function fileSource({ path, text }: { readonly path: string; readonly text: string }): RegistrySource {
  const decoded = decodeRegistry(text, path, "merged");
  const split = splitSingleFile(decoded, path);
  return { paths: [path], entries: foreignOf(decoded), curated: namesOf(split.curated), findings: decoded.findings };
}

/** The layers laid over one another; the merged file counts only where there are no layers yet, and else its copy from before. */
export async function projectSource(host: Host, project: Extract<Project, { state: "valid" }>): Promise<RegistrySource> {
  const layers = await layersSource(host, project);
  if (layers !== undefined && layers.entries.length > 0) return layers;
  const single = layers === undefined ? await singleSource(host, registryFiles.merged) : undefined;
  return single ?? (await singleSource(host, beforeSplit)) ?? layers ?? { paths: [], entries: [], findings: [] };
}

/** Undefined when there are no layers. */
async function layersSource(host: Host, { curated: text }: Extract<Project, { state: "valid" }>): Promise<RegistrySource | undefined> {
  const discovered = await readLayer(host, registryFiles.discovered, "discovered");
  const curated = text === undefined ? undefined : decodeRegistry(text.text, text.path, "curated");
  if (discovered === undefined && curated === undefined) return undefined;
  const sparse = discovered?.decoded.sparse ?? [];
  const layers = mergeLayers(
    sparse.filter((entry) => !isOwnLayerEntry(entry)),
    curated?.sparse ?? [],
  );
  const curatedPath = curated === undefined ? undefined : join(host.paths.registry, registryFiles.curated);
  return {
    paths: [discovered?.path, curatedPath].filter((path) => path !== undefined),
    entries: decodeRegistry(encodeEntries(layers), "the layers of the registry").entries,
    curated: namesOf(curated),
    findings: [discovered?.decoded, curated].flatMap((decoded) => decoded?.findings ?? []),
  };
}

async function singleSource(host: Host, name: string): Promise<RegistrySource | undefined> {
  const single = await readLayer(host, name, "merged");
  if (single === undefined) return undefined;
  const split = splitSingleFile(single.decoded, single.path);
  const findings = [...split.findings, ...single.decoded.findings];
  return { paths: [single.path], entries: foreignOf(single.decoded), curated: namesOf(split.curated), findings };
}

async function readLayer(
  host: Host,
  name: string,
  layer: "discovered" | "merged",
): Promise<{ readonly path: string; readonly decoded: DecodedRegistry } | undefined> {
  const path = join(host.paths.registry, name);
  const text = await host.outputs.read(path);
  return text === undefined ? undefined : { path, decoded: decodeRegistry(text, path, layer) };
}

function foreignOf({ entries, sparse }: DecodedRegistry): readonly RegistryEntry[] {
  return entries.filter((_, index) => !isOwnLayerEntry(sparse[index] ?? {}));
}

function namesOf(decoded: DecodedRegistry | undefined): ReadonlySet<string> {
  return new Set(decoded?.entries.map((entry) => entry.name));
}
