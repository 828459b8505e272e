import { reconcile, type PassResult } from "../../app/reconcile.ts";
import { renderApplyText } from "../../report/apply-text.ts";
import { renderFailure } from "../../report/diagnostics-text.ts";
import { plainText } from "../../report/escape.ts";
import { renderPassLines } from "../render/pass-lines.ts";
import { renderPlanText } from "../../report/plan-text.ts";
import { renderPlanMarkdown } from "../../report/plan-markdown.ts";
import { decodeOutputs, jsonAnswer, writeOutputs, type OutputRequest } from "../outputs.ts";
import type { Session } from "../session.ts";
import { plan } from "./plan.ts";
import { requireModels } from "./require-models.ts";
import { previewOptions, type PlanningOptions } from "./plan-options.ts";
import { relative } from "node:path";

/** The formats of what a pass did: `jsonl` has one object a line, for logs and for programs that read line by line. */
export const passFormats = ["json", "jsonl", "markdown"] as const;

/** `holdfast reconcile`: one pass. */
export async function reconcileCommand(session: Session, options: PlanningOptions): Promise<number> {
  if (options.dryRun === true) return plan(session, options);
  const outputs = decodeOutputs(options.output ?? [], passFormats);
  const host = await session.host("write");
  const project = await session.project(host);
  requireModels(project.desired, [...(options.only ?? []), ...(options.replace ?? [])]);
  const text = outputs.some((output) => output.format === "text");
  const result = await reconcile(
    host,
    project,
    {
      ...(await previewOptions(session, host, options)),
      command: "reconcile",
      approve: async (view) => {
        if (text)
          process.stdout.write(
            `${renderPlanText(view.plan, { host: host.name, colour: session.paint, ci: true, width: session.width, verdicts: view.verdicts, details: options.details ?? false })}\n`,
          );
        return true;
      },
    },
    session.signal,
  );
  if (result === undefined) return 0;
  showResult(session, result, { outputs, host: host.name, root: host.paths.root });
  return result.exitCode;
}

interface Shown {
  readonly outputs: readonly OutputRequest<(typeof passFormats)[number] | "text">[];
  readonly host: string;
  readonly root: string;
}

/** Writes what a pass did, in the requested formats. */
export function showResult(session: Session, result: PassResult, { outputs, host, root }: Shown): void {
  const { before, outcomes, publication } = result;
  if (result.failure !== undefined)
    session.say(renderFailure(result.failure, { effect: "what was applied stays applied; the registry is not up to date until the next pass" }));
  for (const finding of publication.findings.filter((each) => each.severity !== "note"))
    session.say(`${finding.severity}: ${plainText(finding.message)}\n`);
  writeOutputs(outputs, {
    text: () => {
      const written = publication.files.filter((file) => file.state === "written").map((file) => relative(root, file.path) || file.path);
      const applied = before.plan.actions.length === 0 ? "" : renderApplyText(before.plan, outcomes, { colour: session.paint, width: session.width });
      return `${applied}${written.length === 0 ? "" : `Wrote ${written.join(", ")}\n`}`;
    },
    json: () =>
      jsonAnswer("ReconcileResult", {
        exitCode: result.exitCode,
        ...(result.failure === undefined ? {} : { failure: result.failure }),
        plan: before.plan,
        outcomes,
        models: [...result.states.values()].map(({ name, now, ...more }) => ({ name, ...now, ...more })),
        report: publication.report,
        files: publication.files,
      }),
    jsonl: () => renderPassLines(result),
    markdown: () =>
      `${renderPlanMarkdown(before.plan, { target: host, verdicts: before.verdicts })}\n\`\`\`\n${renderApplyText(before.plan, outcomes)}\`\`\`\n`,
  });
}
