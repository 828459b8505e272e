import { exitCodeOfDrift, failOnChoices, type FailOn } from "../../app/exit-code.ts";
import { preview } from "../../app/preview.ts";
import { reportOf } from "../../app/publish.ts";
import { failed } from "../../domain/failure.ts";
import type { VerificationLevel } from "../../domain/observed.ts";
import { renderDriftMarkdown } from "../../report/drift-markdown.ts";
import { renderDriftText } from "../../report/drift-text.ts";
import { driftAnnotations, renderGithubAnnotations } from "../../report/github.ts";
import { renderJunit } from "../../report/junit.ts";
import { renderSarif } from "../../report/sarif.ts";
import { decodeOutputs, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { toolVersion } from "../tool-version.ts";
import { previewOptions } from "./plan-options.ts";

/** `holdfast drift`: every difference between manifests and machine. */
export async function drift(
  session: Session,
  options: CommonOptions & { readonly verify?: VerificationLevel; readonly failOn?: string; readonly details?: boolean },
): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json", "markdown", "sarif", "junit", "github"] as const);
  const failOn = decodeFailOn(options.failOn);
  const host = await session.host();
  const project = await session.project(host);
  const view = await preview(
    host,
    project,
    await previewOptions(session, host, options.verify === undefined ? {} : { level: options.verify }),
    session.signal,
  );
  const report = reportOf(view);
  writeOutputs(outputs, {
    text: () => renderDriftText(report, { colour: session.paint, width: session.width, now: host.clock.now(), details: options.details ?? false }),
    json: () => `${JSON.stringify(report, undefined, 2)}\n`,
    markdown: () => renderDriftMarkdown(report, { target: host.name }),
    sarif: () => renderSarif(report, { toolVersion: toolVersion() }),
    junit: () => renderJunit(report),
    github: () => renderGithubAnnotations(driftAnnotations(report)),
  });
  return exitCodeOfDrift(view.plan, view.drifts, failOn);
}

function decodeFailOn(text: string | undefined): readonly FailOn[] {
  if (text === undefined) return failOnChoices;
  return text.split(",").map((name) => {
    const choice = failOnChoices.find((candidate) => candidate === name.trim());
    if (choice === undefined)
      throw failed("invalid-input", `--fail-on does not know ${JSON.stringify(name)}`, {
        remedy: `a comma-separated list of: ${failOnChoices.join(", ")}`,
      });
    return choice;
  });
}
