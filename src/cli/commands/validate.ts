import { readProject } from "../../app/read-project.ts";
import { exitCodes } from "../../app/exit-code.ts";
import { lockMismatches } from "../../manifest/lock-file.ts";
import { renderDiagnostics } from "../../report/diagnostics-text.ts";
import { diagnosticAnnotations, renderGithubAnnotations } from "../../report/github.ts";
import { policyFindings } from "../../app/check-policies.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast validate`: every problem of manifests, policies and lock at once. */
export async function validate(session: Session, options: CommonOptions): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json", "github"] as const);
  const project = await readProject(await session.host(), session.signal);
  const findings =
    project.state === "valid"
      ? [
          ...project.diagnostics,
          ...(await policyFindings(project.desired.policies)),
          ...(session.settings.locked === true ? lockMismatches(project.desired, project.lock) : []),
        ]
      : project.diagnostics;
  const valid = !findings.some((finding) => finding.severity === "error");
  writeOutputs(outputs, {
    text: () =>
      `${renderDiagnostics(findings, { colour: session.paint, width: session.width })}${valid && project.state === "valid" ? summary(project.desired) : ""}`,
    json: () => jsonAnswer("ValidationResult", { valid, diagnostics: findings }),
    github: () => renderGithubAnnotations(diagnosticAnnotations(findings)),
  });
  return valid ? exitCodes.done : exitCodes.invalid;
}

function summary({
  models,
  roles,
  backends,
  policies,
}: {
  readonly models: readonly unknown[];
  readonly roles: readonly unknown[];
  readonly backends: readonly unknown[];
  readonly policies: readonly unknown[];
}): string {
  return `Valid: ${models.length} models, ${roles.length} roles, ${backends.length} backends, ${policies.length} policies.\n`;
}
