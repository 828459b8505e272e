import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { failed } from "../../domain/failure.ts";
import { applyPlan } from "../../app/apply-plan.ts";
import type { PassResult } from "../../app/reconcile.ts";
import type { Plan } from "../../domain/action.ts";
import { canonicalJson } from "../../domain/json.ts";
import { decodePlan } from "../../manifest/plan-file.ts";
import { renderBlockedText, renderPlanText } from "../../report/plan-text.ts";
import { decodeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { planFormats, showPlan } from "./plan.ts";
import { previewOptions } from "./plan-options.ts";
import { passFormats, showResult } from "./reconcile.ts";

/** `holdfast apply PLAN`: does exactly what a saved plan says. */
export async function apply(
  session: Session,
  options: CommonOptions & { readonly planDigest?: string; readonly dryRun?: boolean },
  [file = ""]: readonly string[],
): Promise<number> {
  const plan = decodePlan(await readPlan(file));
  if (options.planDigest !== undefined && options.planDigest.replace(/^sha256:/, "") !== plan.digest) {
    throw failed("precondition", `${file} has the digest ${plan.digest}, not ${options.planDigest}`, {
      remedy: "apply the plan that was reviewed, or plan again",
    });
  }
  if (options.dryRun === true) {
    const { name } = await session.host();
    showPlan(session, { plan, verdicts: [] }, { outputs: decodeOutputs(options.output ?? [], planFormats), host: name, details: false });
    return 0;
  }
  const outputs = decodeOutputs(options.output ?? [], passFormats);
  const host = await session.host("write");
  const project = await session.project(host);
  if (project.desired.revision.digest !== plan.revision.digest)
    session.say("warning: the manifests changed since this plan was made; every action still checks that its model is as planned\n");
  if (outputs.some((output) => output.format === "text"))
    process.stdout.write(`${renderPlanText(plan, { host: host.name, colour: session.paint, ci: true, width: session.width })}\n`);
  const result = await applyPlan(host, project, plan, { ...(await previewOptions(session, host, {})), command: "apply" }, session.signal);
  if (outputs.some((output) => output.format === "text")) process.stdout.write(refusedText(session, plan, result));
  showResult(session, result, { outputs, host: host.name, root: host.paths.root });
  return result.exitCode;
}

/** What of the plan file may not run any more. */
function refusedText(session: Session, plan: Plan, { before }: PassResult): string {
  const known = new Set(plan.blocked.map(canonicalJson));
  const blocked = before.plan.blocked.filter((item) => !known.has(canonicalJson(item)));
  return renderBlockedText({ ...before.plan, blocked }, { colour: session.paint, width: session.width });
}

/** The text of a plan file. */
export async function readPlan(file: string): Promise<string> {
  try {
    return await readFile(resolve(file), "utf8");
  } catch (error) {
    throw failed("invalid-input", `the plan file ${file} cannot be read`, { remedy: "make one with: holdfast plan --out plan.json", cause: error });
  }
}
