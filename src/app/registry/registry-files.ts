import { join } from "node:path";
import { hasErrors, type Diagnostic } from "../../domain/diagnostic.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { layerTexts } from "../../registry/layer-texts.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { manifestEntry } from "../../registry/manifest-entry.ts";
import type { Host } from "../host.ts";
import { registryFiles, type PublishedFile } from "../publish.ts";
import type { Project } from "../read-project.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** The registry as it stands on disk. */
export interface RegistryOnDisk {
  readonly discovered: readonly RegistryEntry[];
  /** Curated entries that somebody else wrote; never changed. */
  readonly handWritten: readonly RegistryEntry[];
  readonly handWrittenSparse: readonly JsonObject[];
  /** What is laid over the discovered entries: our own curated file, or the manifests where the curated file is not ours. */
  readonly manifests: readonly JsonObject[];
  readonly findings: readonly Diagnostic[];
  /** False when the discovered file is there and is not a registry: then it must not be written over. */
  readonly usable: boolean;
}

/** A project and its registry, read together under the lock. */
export interface EditedProject {
  readonly project: ValidProject;
  readonly registry: RegistryOnDisk;
}

/** Reads discovered and curated file. */
export async function readRegistry(host: Host, project: ValidProject): Promise<RegistryOnDisk> {
  const discovered = await readLayer(host, "discovered");
  const foreign = project.curated === undefined ? undefined : decodeRegistry(project.curated.text, project.curated.path, "curated");
  const own = foreign === undefined ? await readLayer(host, "curated") : undefined;
  return {
    discovered: discovered.entries,
    handWritten: foreign?.entries ?? [],
    handWrittenSparse: foreign?.sparse ?? [],
    manifests: own?.sparse ?? project.desired.models.map((model) => manifestEntry(model, project.desired)),
    findings: [...discovered.findings, ...(foreign?.findings ?? [])],
    usable: discovered.entries.length > 0 || !hasErrors(discovered.findings),
  };
}

async function readLayer(host: Host, layer: "curated" | "discovered"): Promise<ReturnType<typeof decodeRegistry>> {
  const path = join(host.paths.registry, registryFiles[layer]);
  const text = await host.outputs.read(path);
  return text === undefined ? { entries: [], sparse: [], findings: [] } : decodeRegistry(text, path, layer);
}

/** New texts of registry files; what is left out stays as it is. */
export type RegistryTexts = Partial<Readonly<Record<keyof typeof registryFiles, string | undefined>>>;

/** The texts of the files after an edit of the discovered entries. */
export function editedTexts(registry: RegistryOnDisk, discovered: readonly RegistryEntry[]): RegistryTexts {
  return layerTexts({ discovered, handWritten: registry.handWrittenSparse, manifests: registry.manifests });
}

/** What was written, and where the files are as they were before. */
export interface RegistryWrite {
  readonly files: readonly PublishedFile[];
  readonly backups: readonly string[];
}

/** Writes registry files; those that change are copied beside themselves before, all under one time stamp. */
export async function writeRegistry(host: Host, texts: RegistryTexts, backup: boolean): Promise<RegistryWrite> {
  const layers = ["curated", "discovered", "merged"] as const;
  const planned = layers.flatMap((layer) => {
    const text = texts[layer];
    return text === undefined ? [] : [{ layer, path: join(host.paths.registry, registryFiles[layer]), text }];
  });
  const before = await Promise.all(planned.map(async (file) => ({ ...file, old: await host.outputs.read(file.path) })));
  const changing = before.filter((file) => file.old !== undefined && file.old !== file.text);
  const backups: string[] = [];
  if (backup && changing.length > 0) {
    const stamp = await freeStamp(host);
    for (const { layer, old = "" } of changing) {
      const path = backupPath(host, layer, stamp);
      await host.outputs.write(path, old);
      backups.push(path);
    }
  }
  const files: PublishedFile[] = [];
  for (const { path, text } of planned) files.push({ path, state: await host.outputs.write(path, text) });
  return { files, backups };
}

/** Named as ImageWorks names its backups, so that its tools and habits find them. */
function backupPath(host: Host, layer: keyof typeof registryFiles, stamp: string): string {
  return join(host.paths.registry, registryFiles[layer].replace(/\.json$/, `.${stamp}.bak.json`));
}

/** A second edit in the same second gets a generation of its own. */
async function freeStamp(host: Host): Promise<string> {
  const digits = host.clock.now().replaceAll(/\D/g, "");
  const stamp = `${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? stamp : `${stamp}-${number}`;
    const taken = await Promise.all(
      (["curated", "discovered", "merged"] as const).map((layer) => host.outputs.read(backupPath(host, layer, candidate))),
    );
    if (taken.every((text) => text === undefined)) return candidate;
  }
}
