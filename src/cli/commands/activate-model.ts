import { orderToServe, orderToStop, switchModel, type SwitchOrder, type SwitchResult } from "../../app/switch-model.ts";
import { exitCodeOfPlan } from "../../app/exit-code.ts";
import { failed } from "../../domain/failure.ts";
import { plainText } from "../../report/escape.ts";
import { renderPlanText } from "../../report/plan-text.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { currentJson, currentText, lookAtServing } from "./current-model.ts";
import { previewOptions } from "./plan-options.ts";
import { showResult } from "./reconcile.ts";

interface ActivateOptions extends CommonOptions {
  readonly stop?: boolean;
  readonly backend?: string;
}

/** Names that the ImageWorks program takes for `--stop` (requirements 2.10). */
const stopWords: ReadonlySet<string> = new Set(["none", "stop"]);

/** `holdfast activate-model NAME`, or `--stop`: what a single-port backend serves now, whatever the manifests say. */
export async function activateModel(session: Session, options: ActivateOptions, [name]: readonly string[]): Promise<number> {
  const stops = options.stop === true || (name !== undefined && stopWords.has(name));
  if (!stops && name === undefined) throw failed("invalid-input", "say which model, or --stop", { remedy: "holdfast activate-model NAME" });
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host("write");
  const project = await session.project(host);
  const order = stops ? orderToStop(project.desired, options.backend) : orderToServe(project.desired, name ?? "");
  const outcome = await switchModel(host, project, order, await previewOptions(session, host, {}), session.signal);
  const code = codeOf(outcome);
  const backend = order.backend.metadata.name;
  const { plan, verdicts } = outcome.state === "done" ? outcome.result.before : outcome.before;
  if (code !== 0) session.say(renderPlanText(plan, { host: host.name, colour: session.paintTalk, ci: true, width: session.width, verdicts }));
  if (outcome.state === "done" && code !== 0)
    showResult(session, outcome.result, { outputs: [{ format: "text" }], host: host.name, root: host.paths.root });
  const now = (await lookAtServing(host, project, session.signal)).filter((current) => current.backend === backend);
  warnOfDifference(session, order);
  writeOutputs(outputs, {
    text: () => currentText(now, session, host),
    json: () =>
      jsonAnswer("ActivateResult", { exitCode: code, ...currentJson(now), plan, outcomes: outcome.state === "done" ? outcome.result.outcomes : [] }),
  });
  return code;
}

function codeOf(outcome: SwitchResult): number {
  return outcome.state === "done" ? outcome.result.exitCode : exitCodeOfPlan(outcome.before.plan, [], true);
}

/** A switch by hand holds until the next pass; who reads this learns where to write it down. */
function warnOfDifference(session: Session, { backend, model }: SwitchOrder): void {
  const { active, metadata } = backend;
  const declared = active?.kind === "model" ? active.name : active?.kind;
  const wanted = model?.metadata.name ?? "none";
  if (declared === undefined || declared === wanted) return;
  const { file, line } = metadata.location;
  session.say(
    plainText(
      `note: ${file}:${line} says active: ${declared}, so the next reconcile puts that back; write active: ${wanted} there to keep this`,
    ).concat("\n"),
  );
}
