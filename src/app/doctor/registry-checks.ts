import { join } from "node:path";
import type { Diagnostic } from "../../domain/diagnostic.ts";
import type { ObservedState } from "../../domain/observed.ts";
import { compareRegistry } from "../../registry/compare.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { findSnapshotEdits } from "../../registry/snapshot-edits.ts";
import type { Check } from "./check.ts";
import type { Host } from "../host.ts";
import { registryFiles } from "../publish.ts";
import type { Project } from "../read-project.ts";
import { editedTexts, readRegistry } from "../registry/registry-files.ts";

type ValidProject = Extract<Project, { state: "valid" }>;

/** So many findings are shown; who has more has one cause for most of them. */
const shownFindings = 20;

/** Says what is wrong between the registry files and the stores, and among the files. */
export async function examineRegistry(host: Host, project: ValidProject, observed: ObservedState): Promise<readonly Check[]> {
  const id = "DOC-REGISTRY";
  const diagnosis = await diagnose(host, project, observed);
  if (diagnosis === undefined) return [{ id, state: "ok", fact: "there is no registry yet; holdfast import or reconcile writes it" }];
  const { entries, findings } = diagnosis;
  if (findings.length === 0) return [{ id, state: "ok", fact: `the registry lists ${entries} models as the stores hold them` }];
  const shown = findings.slice(0, shownFindings).map(({ message, remedy }): Check => ({
    id,
    state: "warning",
    fact: message,
    ...(remedy === undefined ? {} : { remedy }),
  }));
  const more = findings.length - shown.length;
  return more === 0 ? shown : [...shown, { id, state: "warning", fact: `the registry has ${more} more findings of this kind` }];
}

interface Diagnosis {
  readonly entries: number;
  readonly findings: readonly Diagnostic[];
}

/** Undefined when there is no registry yet. */
async function diagnose(host: Host, project: ValidProject, observed: ObservedState): Promise<Diagnosis | undefined> {
  const path = join(host.paths.registry, registryFiles.merged);
  const text = await host.outputs.read(path);
  if (text === undefined) return undefined;
  const merged = decodeRegistry(text, path, "merged");
  const registry = await readRegistry(host, project);
  const expected = editedTexts(registry, registry.discovered).merged;
  const edits =
    expected === undefined || registry.discovered.length === 0
      ? []
      : findSnapshotEdits({ discovered: decodeRegistry(expected, path, "merged").sparse, curated: [], merged: merged.sparse });
  const compared = compareRegistry({ entries: merged.entries, observed, filter: { includeTesting: host.includeTesting } });
  return { entries: merged.entries.length, findings: [...merged.findings, ...edits, ...compared].filter((finding) => finding.severity !== "note") };
}
