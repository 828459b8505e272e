import { exitCodes } from "../../app/exit-code.ts";
import { compareUpstream, type UpstreamComparison } from "../../app/outdated.ts";
import { shortDigest } from "../../report/quantities.ts";
import { renderTable } from "../../report/table.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { requireModels } from "./require-models.ts";

/** `holdfast outdated`: has the registry or hub moved on? Nothing is pulled. */
export async function outdated(
  session: Session,
  options: CommonOptions & { readonly detailedExitcode?: boolean },
  names: readonly string[],
): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host();
  const project = await session.project(host);
  requireModels(project.desired, names);
  const results = await compareUpstream(host, project, names, session.signal);
  const exitCode = exitCodeOf(results, options.detailedExitcode ?? false);
  writeOutputs(outputs, {
    text: () => textOf(results, session),
    json: () => jsonAnswer("OutdatedResult", { exitCode, models: results }),
  });
  return exitCode;
}

function exitCodeOf(results: readonly UpstreamComparison[], detailed: boolean): number {
  if (results.some((result) => result.state === "unknown")) return exitCodes.unknown;
  return detailed && results.some((result) => result.state === "moved" || result.state === "gone") ? exitCodes.drift : exitCodes.done;
}

function textOf(results: readonly UpstreamComparison[], session: Session): string {
  if (results.length === 0) return "No model is tracked upstream.\n";
  const columns = [
    { title: "name", minimum: 12 },
    { title: "source", cut: "middle" as const },
    { title: "state" },
    { title: "current" },
    { title: "latest" },
    { title: "detail" },
  ];
  const rows = results.map((result) => [
    result.name,
    result.source,
    result.state,
    shortOr(result.current),
    shortOr(result.latest),
    result.changed.length === 0 ? result.detail : `${result.changed.length} files differ; ${result.detail}`,
  ]);
  const moved = results.filter((result) => result.state === "moved" || result.state === "gone").length;
  return `${renderTable(columns, rows, { width: session.tableWidth })}\nOutdated: ${moved} moved or gone, ${results.length - moved} not. Nothing was pulled.\n`;
}

function shortOr(digest: string | undefined): string {
  return digest === undefined ? "-" : shortDigest(digest);
}
