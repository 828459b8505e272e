import { join } from "node:path";
import type { DriftReport } from "../domain/drift.ts";
import { compareText, type Diagnostic } from "../domain/diagnostic.ts";
import { canonicalJson } from "../domain/json.ts";
import type { RegistryEntry } from "../registry/entry.ts";
import { decodeRegistry, type DecodedRegistry } from "../registry/legacy.ts";
import { projectRegistry, type Projection } from "../registry/project.ts";
import { buildDriftReport } from "../report/drift-report.ts";
import { renderDriftMarkdown } from "../report/drift-markdown.ts";
import type { Host } from "./host.ts";
import { readHistory } from "./metrics.ts";
import type { Preview } from "./preview.ts";

/** A file that was brought up to date. */
export interface PublishedFile {
  readonly path: string;
  readonly state: "written" | "unchanged";
}

/** What a pass leaves for programs and people. */
export interface Publication {
  readonly files: readonly PublishedFile[];
  readonly report: DriftReport;
  /** Findings about registry files that somebody else wrote. */
  readonly findings: readonly Diagnostic[];
}

/** The names of the registry files; the same that ImageWorks uses (requirements 2.2). */
export const registryFiles = {
  curated: "model_registry.curated.json",
  discovered: "model_registry.discovered.json",
  merged: "model_registry.json",
} as const;

/** The copy that is kept of a single-file registry when the layers are written for the first time; the name is that of ImageWorks. */
export const beforeSplit = "model_registry.backup.pre_split.json";

/** Writes the three registry files and the drift report; files whose bytes would be the same are not touched. */
export async function publish(host: Host, view: Preview): Promise<Publication> {
  const registry = await projectFiles(host, view);
  const { reports } = host.paths;
  const report = unlessSame(reportOf(view), await host.outputs.read(join(reports, "drift-report.json")));
  const outputs: readonly (readonly [string, string | undefined])[] = [
    [join(host.paths.registry, registryFiles.curated), registry.curated],
    [join(host.paths.registry, registryFiles.discovered), registry.discovered],
    [join(host.paths.registry, registryFiles.merged), registry.merged],
    [join(reports, "drift-report.json"), `${JSON.stringify(report, undefined, 2)}\n`],
    [join(reports, "drift-report.md"), renderDriftMarkdown(report, { target: host.name })],
  ];
  const files: PublishedFile[] = [];
  await keepSingleFile(host);
  for (const [path, text] of outputs) if (text !== undefined) files.push({ path, state: await host.outputs.write(path, text) });
  return { files, report, findings: registry.findings };
}

/** The texts of the registry files for what was observed; writes nothing. `earlier` stands in for the discovered file on disk. */
export async function projectFiles(
  host: Host,
  view: Pick<Preview, "project" | "observed" | "memory">,
  earlier?: readonly RegistryEntry[],
): Promise<Projection> {
  const { project, observed, memory } = view;
  const foreign = project.curated === undefined ? undefined : decodeRegistry(project.curated.text, project.curated.path, "curated");
  const previous = earlier === undefined ? await readDiscovered(host) : { entries: earlier, findings: [] };
  const projection = projectRegistry({
    desired: project.desired,
    lock: project.lock,
    observed,
    memory,
    history: await readHistory(host.state, namesOf(view)),
    settings: { includeTesting: host.includeTesting },
    ...(foreign === undefined ? {} : { curated: foreign }),
    ...(previous === undefined ? {} : { previous: { discovered: previous.entries } }),
  });
  return { ...projection, findings: [...(foreign?.findings ?? []), ...(previous?.findings ?? []), ...projection.findings] };
}

/** Before there are layers, the merged file may be all that somebody has. */
async function keepSingleFile(host: Host): Promise<void> {
  const at = (name: string): Promise<string | undefined> => host.outputs.read(join(host.paths.registry, name));
  const [discovered, merged, kept] = await Promise.all([at(registryFiles.discovered), at(registryFiles.merged), at(beforeSplit)]);
  if (discovered === undefined && merged !== undefined && kept === undefined)
    await host.outputs.write(join(host.paths.registry, beforeSplit), merged);
}

async function readDiscovered(host: Host): Promise<Pick<DecodedRegistry, "entries" | "findings"> | undefined> {
  const path = join(host.paths.registry, registryFiles.discovered);
  const text = await host.outputs.read(path);
  return text === undefined ? undefined : decodeRegistry(text, path);
}

/** Every name that an entry may have: declared, ours, on its way out, or found. */
function namesOf({ project, memory }: Pick<Preview, "project" | "memory">): readonly string[] {
  const remembered = [memory.inventory, memory.deprecations, memory.discovered].flatMap((items) => items.map((item) => item.name));
  return [...new Set([...project.desired.models.map((model) => model.metadata.name), ...remembered])];
}

/** The drift report of a view. */
export function reportOf(view: Preview): DriftReport {
  const { observed, memory, project, assessments, drifts } = view;
  const drifting = new Set(drifts.map((drift) => drift.object));
  const names = assessments.filter((assessment) => assessment.state !== "remote").map((assessment) => assessment.model.metadata.name);
  const proven = new Set(memory.verifications.map((verification) => verification.name));
  const declared = new Set(names);
  const proofs = memory.verifications
    .filter((verification) => declared.has(verification.name))
    .map((verification) => verification.at)
    .toSorted(compareText);
  const [oldest] = proofs;
  const newest = proofs.at(-1);
  return buildDriftReport(drifts, {
    revision: project.desired.revision,
    observedAt: observed.at,
    level: observed.level,
    inSync: names.filter((name) => !drifting.has(`model/${name}`)),
    verifiedAt: {
      ...(oldest === undefined ? {} : { oldest }),
      ...(newest === undefined ? {} : { newest }),
      never: names.filter((name) => !proven.has(name)),
    },
  });
}

/** An old report that says the same stays as it is: its time then says since when it holds. */
function unlessSame(report: DriftReport, before: string | undefined): DriftReport {
  const old = before === undefined ? undefined : reportIn(before);
  return old !== undefined && canonicalJson({ ...old, observedAt: report.observedAt }) === canonicalJson(report)
    ? { ...report, observedAt: old.observedAt }
    : report;
}

function reportIn(text: string): { readonly observedAt: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "observedAt" in value && typeof value.observedAt === "string"
      ? { ...value, observedAt: value.observedAt }
      : undefined;
  } catch {
    return undefined;
  }
}
