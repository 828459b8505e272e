import { exitCodeOfFailure } from "../failure-exit.ts";
import { selectFrom } from "../../app/selection/select.ts";
import { toFailure } from "../../domain/failure.ts";
import type { Judgement, Selected, Selection } from "../../domain/selection/selection.ts";
import { plainText } from "../../report/escape.ts";
import { renderTable } from "../../report/table.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { failureOf, openSelection, requestOf, type SelectionOptions } from "./selection-options.ts";

/** `holdfast select NAME|ROLE`: where to send requests for a model, and under which id. */
export async function selectCommand(session: Session, options: SelectionOptions, [asked = ""]: readonly string[]): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host();
  const view = await openSelection(session, host, await session.project(host), options);
  const selection = selectFrom(view, { ...requestOf(session, options), asked });
  const explain = options.explain === true;
  for (const warning of selection.state === "selected" ? selection.warnings : []) session.say(`warning: ${plainText(warning)}\n`);
  if (selection.state === "refused" && outputs.every((output) => output.format === "text")) {
    if (explain) session.say(trailText(selection.trail));
    throw failureOf(selection);
  }
  writeOutputs(outputs, {
    text: () => `${selection.state === "selected" ? selectedText(selection) : ""}${explain ? `\n${trailText(selection.trail)}` : ""}`,
    json: () => jsonAnswer("Selection", selectionJson(selection, explain)),
  });
  return selection.state === "refused" ? exitCodeOfFailure(toFailure(failureOf(selection))) : 0;
}

/** A selection for programs; the first four members are those of the ImageWorks API. */
export function selectionJson(selection: Selection, explain: boolean): object {
  const trail = explain ? { explanation: selection.trail } : {};
  if (selection.state === "refused") {
    const { asked, kind, message, remedy, missing, role } = selection;
    return { error: { kind, message, remedy: remedy ?? null, missing: missing ?? [] }, asked, role: role ?? null, ...trail };
  }
  const { candidate, endpoint, modelId, asked, by, role, warnings } = selection;
  return {
    endpoint,
    backend: candidate.backendType,
    internal_model_id: modelId,
    capabilities: candidate.capabilities,
    name: candidate.name,
    display_name: candidate.displayName,
    backend_name: candidate.backend ?? null,
    provenance: candidate.provenance,
    context_length: candidate.contextLength ?? null,
    deprecated: candidate.deprecated !== undefined,
    asked,
    found_by: by,
    role: role ?? null,
    warnings,
    ...trail,
  };
}

function selectedText({ candidate, endpoint, modelId, by, role }: Selected): string {
  const can = Object.entries(candidate.capabilities).flatMap(([name, value]) =>
    value ? [`${name}${candidate.provenance[name] === undefined ? "" : ` (${candidate.provenance[name]})`}`] : [],
  );
  const rows: readonly (readonly [string, string])[] = [
    ["endpoint", endpoint],
    ["backend", candidate.backend === undefined ? candidate.backendType : `${candidate.backend} (${candidate.backendType})`],
    ["model id", modelId],
    ["can", can.join(", ")],
    ["context", candidate.contextLength === undefined ? "not known" : `${candidate.contextLength} tokens`],
    ["found by", role === undefined ? by : `role ${role}`],
  ];
  return `${plainText(candidate.name)}\n${rows.map(([title, value]) => `  ${title.padEnd(9)} ${plainText(value)}\n`).join("")}`;
}

/** Every candidate and why it lost, best first. */
export function trailText(trail: readonly Judgement[]): string {
  if (trail.length === 0) return "No candidate was considered.\n";
  return renderTable(
    [{ title: "candidate", minimum: 12 }, { title: "outcome" }, { title: "because", minimum: 30 }],
    trail.map(({ name, outcome, because }) => [name, outcome, because]),
  );
}
