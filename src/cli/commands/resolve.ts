import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { exitCodeOfFailure } from "../failure-exit.ts";
import { defaultRoles, resolveRoles } from "../../app/selection/resolve-roles.ts";
import { toFailure } from "../../domain/failure.ts";
import { renderFailure } from "../../report/diagnostics-text.ts";
import { plainText } from "../../report/escape.ts";
import { renderTable } from "../../report/table.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { selectionJson, trailText } from "./select.ts";
import { failureOf, openSelection, requestOf, type SelectionOptions } from "./selection-options.ts";

/** `holdfast resolve --role R ...`: the model of each role, for programs that name no models. */
export async function resolve(session: Session, options: SelectionOptions & { readonly role?: readonly string[] }): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host();
  const view = await openSelection(session, host, await session.project(host), options);
  const { resolved, failed, log } = resolveRoles(view, [...new Set(options.role ?? defaultRoles)], requestOf(session, options), host.clock.now());
  writeLog(session, log);
  for (const { role, warnings } of resolved) for (const warning of warnings) session.say(`warning: ${role}: ${plainText(warning)}\n`);
  const explain = options.explain === true;
  const columns = [
    { title: "role" },
    { title: "model", minimum: 12 },
    { title: "endpoint", minimum: 20 },
    { title: "model id", minimum: 12, cut: "middle" as const },
  ];
  writeOutputs(outputs, {
    text: () => {
      const table =
        resolved.length === 0
          ? ""
          : renderTable(
              columns,
              resolved.map(({ role, candidate, endpoint, modelId }) => [role, candidate.name, endpoint, modelId]),
              { width: session.tableWidth },
            );
      const trails = explain ? [...resolved, ...failed].map(({ role, trail }) => `\n${plainText(role ?? "")}\n${trailText(trail)}`) : [];
      return `${table}${trails.join("")}`;
    },
    json: () =>
      jsonAnswer("Resolution", {
        roles: Object.fromEntries([...resolved, ...failed].map((answer) => [answer.role ?? answer.asked, selectionJson(answer, explain)])),
      }),
  });
  const failures = failed.map((refused) => toFailure(failureOf(refused)));
  for (const failure of failures) session.say(renderFailure(failure));
  return Math.max(0, ...failures.map(exitCodeOfFailure));
}

/** One JSON line for log collectors: into the log folder when there is one, else to stderr. */
function writeLog({ settings, say }: Session, entry: object): void {
  const line = `${JSON.stringify(entry)}\n`;
  if (settings.logDir === undefined) return say(line);
  mkdirSync(settings.logDir, { recursive: true });
  appendFileSync(join(settings.logDir, "model_loader.log"), line);
}
