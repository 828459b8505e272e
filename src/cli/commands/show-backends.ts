import { backendRows, checkBackends, checkTimeout, type BackendRow } from "../../app/selection/backends.ts";
import { exitCodes } from "../../app/exit-code.ts";
import { plainText } from "../../report/escape.ts";
import { renderTable } from "../../report/table.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast show-backends`: every declared endpoint below the program that serves it, and whether it answers now. */
export async function showBackends(
  session: Session,
  options: CommonOptions & { readonly json?: boolean; readonly jsonOutput?: boolean },
): Promise<number> {
  const wantsJson = options.json === true || options.jsonOutput === true;
  const outputs = decodeOutputs([...(options.output ?? []), ...(wantsJson ? ["json"] : [])], ["json"] as const);
  const host = await session.host();
  const project = await session.project(host);
  const { connectCheckers } = await import("../../wiring/probe.ts");
  const { backends } = host.withDefaults(project.desired, await host.state.load());
  const providers = backendRows(
    await checkBackends(backends, await connectCheckers(backends, checkTimeout, process.env), checkTimeout, session.signal),
  );
  writeOutputs(outputs, {
    text: () => textOf(providers, session.width),
    json: () => jsonAnswer("Backends", { providers }),
  });
  return exitCodes.done;
}

function textOf(providers: Readonly<Record<string, readonly BackendRow[]>>, width: number): string {
  const groups = Object.entries(providers);
  if (groups.length === 0) return "No backends are declared.\n";
  const columns = [
    { title: "backend", minimum: 10 },
    { title: "url", minimum: 20 },
    { title: "state", minimum: 9 },
    { title: "version" },
    { title: "active" },
    { title: "models", minimum: 12 },
    { title: "detail", minimum: 12 },
  ];
  return groups
    .map(
      ([provider, rows]) =>
        `${plainText(provider)}\n${renderTable(
          columns,
          rows.map((row) => [row.name, row.url ?? "", row.state, row.version ?? "", row.active ?? "", shortList(row.models), row.detail]),
          { width },
        )}`,
    )
    .join("\n");
}

function shortList(ids: readonly string[]): string {
  return ids.length > 3 ? `${ids.slice(0, 3).join(", ")} and ${ids.length - 3} more` : ids.join(", ");
}
