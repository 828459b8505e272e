import { resolve } from "node:path";
import type { Host } from "../../app/host.ts";
import { preview, type Preview } from "../../app/preview.ts";
import type { Plan } from "../../domain/action.ts";
import { failed } from "../../domain/failure.ts";
import { exitCodeOfPlan } from "../../app/exit-code.ts";
import { decodeOutputs, writeOutputs, type OutputRequest } from "../outputs.ts";
import type { Session } from "../session.ts";
import { requireModels } from "./require-models.ts";
import { previewOptions, type PlanningOptions } from "./plan-options.ts";
import { renderPlanText } from "../../report/plan-text.ts";
import { renderPlanMarkdown } from "../../report/plan-markdown.ts";
import { encodePlan } from "../../manifest/plan-file.ts";

export const planFormats = ["json", "markdown"] as const;

/** `holdfast plan` and `holdfast reconcile --dry-run`: shows what would be done and changes nothing. */
export async function plan(session: Session, options: PlanningOptions): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], planFormats);
  const host = await session.host();
  const project = await session.project(host);
  requireModels(project.desired, [...(options.only ?? []), ...(options.replace ?? [])]);
  const view = await preview(host, project, await previewOptions(session, host, options), session.signal);
  if (options.out !== undefined) await savePlan(host, options.out, view.plan);
  const next = options.out === undefined ? "holdfast reconcile" : `holdfast apply ${options.out}`;
  showPlan(session, view, {
    outputs,
    host: host.name,
    details: options.details ?? false,
    ...(view.plan.actions.length === 0 ? {} : { nextCommand: next }),
  });
  return exitCodeOfPlan(view.plan, view.drifts, options.detailedExitcode ?? false);
}

/** Writes a plan file; anything else at that path stays. */
async function savePlan(host: Host, file: string, made: Plan): Promise<void> {
  const path = resolve(file);
  const before = await host.outputs.read(path);
  if (before !== undefined && !isPlanFile(before))
    throw failed("invalid-input", `${file} exists and is not a plan file`, { remedy: "choose another file for --out" });
  await host.outputs.write(path, encodePlan(made));
}

/** A plan of any version: its decoder takes only the present one. */
function isPlanFile(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "formatVersion" in value && "actions" in value;
  } catch {
    return false;
  }
}

interface Shown {
  readonly outputs: readonly OutputRequest<(typeof planFormats)[number] | "text">[];
  readonly host: string;
  readonly details: boolean;
  readonly nextCommand?: string;
}

/** Writes a plan in the requested formats. */
export function showPlan(session: Session, view: Pick<Preview, "plan" | "verdicts">, { outputs, host, details, nextCommand }: Shown): void {
  const { verdicts } = view;
  writeOutputs(outputs, {
    text: () =>
      renderPlanText(view.plan, {
        host,
        details,
        ci: session.ci,
        colour: session.paint,
        width: session.width,
        verdicts,
        ...(nextCommand === undefined ? {} : { nextCommand }),
      }),
    json: () => encodePlan(view.plan),
    markdown: () => renderPlanMarkdown(view.plan, { target: host, verdicts, reproduce: "holdfast plan" }),
  });
}
