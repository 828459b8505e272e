import { orderToServe, orderToStop, switchModel, type SwitchOrder, type SwitchResult } from "../../app/switch-model.ts";
import { exitCodeOfPlan } from "../../app/exit-code.ts";
import type { Host } from "../../app/host.ts";
import type { Preview } from "../../app/preview.ts";
import type { DesiredState } from "../../domain/desired.ts";
import { failed } from "../../domain/failure.ts";
import { plainText } from "../../report/escape.ts";
import { renderApplyText } from "../../report/apply-text.ts";
import { renderPlanText } from "../../report/plan-text.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { currentJson, currentText, lookAtServing } from "./current-model.ts";
import { previewOptions } from "./plan-options.ts";

interface ActivateOptions extends CommonOptions {
  readonly stop?: boolean;
  readonly backend?: string;
}

/** Names that the ImageWorks program takes for `--stop` (requirements 2.10). */
const stopWords: ReadonlySet<string> = new Set(["none", "stop"]);

/** `holdfast activate-model NAME`, or `--stop`: what a single-port backend serves now, whatever the manifests say. */
export async function activateModel(session: Session, options: ActivateOptions, [name]: readonly string[]): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host("write");
  const project = await session.project(host);
  const order = orderOf(project.desired, options, name);
  const outcome = await switchModel(host, project, order, await previewOptions(session, host, {}), session.signal);
  const code = codeOf(outcome);
  if (code !== 0) tellTrouble(session, host, outcome);
  const all = await lookAtServing(host, project, session.signal);
  const now = all.filter((current) => current.backend === order.backend.metadata.name);
  warnOfDifference(session, order);
  const { plan } = planned(outcome);
  const outcomes = outcome.state === "done" ? outcome.result.outcomes : [];
  writeOutputs(outputs, {
    text: () => currentText(now, session, host),
    json: () => jsonAnswer("ActivateResult", { exitCode: code, ...currentJson(now), plan, outcomes }),
  });
  return code;
}

function orderOf(desired: DesiredState, { stop, backend }: ActivateOptions, name: string | undefined): SwitchOrder {
  if (stop === true || (name !== undefined && stopWords.has(name))) return orderToStop(desired, backend);
  if (name === undefined) throw failed("invalid-input", "say which model, or --stop", { remedy: "holdfast activate-model NAME" });
  return orderToServe(desired, name);
}

function planned(outcome: SwitchResult): Preview {
  return outcome.state === "done" ? outcome.result.before : outcome.before;
}

/** The plan with what stood in its way, and how its actions ended. */
function tellTrouble(session: Session, host: Host, outcome: SwitchResult): void {
  const { plan, verdicts } = planned(outcome);
  session.say(renderPlanText(plan, { host: host.name, colour: session.paintTalk, ci: true, width: session.width, verdicts }));
  if (outcome.state === "done") session.say(renderApplyText(plan, outcome.result.outcomes, { colour: session.paintTalk, width: session.width }));
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
