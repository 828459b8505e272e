import { exitCodes } from "../../app/exit-code.ts";
import { probe, publishProbe, type ProbeOrder, type ProbeResult } from "../../app/selection/probe.ts";
import type { Host } from "../../app/host.ts";
import { selectFrom } from "../../app/selection/select.ts";
import type { Selected } from "../../domain/selection/selection.ts";
import { plainText } from "../../report/escape.ts";
import { formatDuration } from "../../report/quantities.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { failureOf, openSelection, requestOf, type SelectionOptions } from "./selection-options.ts";

/** Options of the probes. */
export type ProbeOptions = SelectionOptions & {
  readonly prompt?: readonly string[];
  readonly proxy?: string;
  readonly maxTokens?: number;
  readonly timeout?: number;
  readonly force?: boolean;
};

/** What a probe of one kind adds to the order. */
export type PrepareProbe = (selected: Selected, host: Host) => Promise<Pick<ProbeOrder, "prompts"> & Partial<Pick<ProbeOrder, "image">>>;

/** Resolves the name, probes, prints, and brings the registry up to date. */
export async function runProbe(session: Session, options: ProbeOptions, name: string, prepare: PrepareProbe): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host("write");
  const project = await session.project(host);
  const view = await openSelection(session, host, project, options);
  const selected = selectFrom(view, { ...requestOf(session, options), asked: name });
  if (selected.state === "refused") throw failureOf(selected);
  for (const warning of selected.warnings) session.say(`warning: ${plainText(warning)}\n`);
  const { createProbeParts } = await import("../../wiring/probe.ts");
  const parts = { host, ...(await createProbeParts(project.desired.backends, process.env)) };
  const order: ProbeOrder = { selected, ...(await prepare(selected, host)), ...limitsOf(options) };
  const result = await probe(parts, order, session.signal);
  if (!(await publishProbe(host, project, session.signal)))
    session.say("note: another instance is at work; its next pass writes the result into the registry\n");
  writeOutputs(outputs, { text: () => resultText(result, session), json: () => jsonAnswer("ProbeResult", jsonOf(result)) });
  return result.ok ? exitCodes.done : exitCodes.unexpected;
}

function limitsOf({
  proxy = process.env["HOLDFAST_PROBE_PROXY"],
  maxTokens = 64,
  timeout = 60,
}: ProbeOptions): Pick<ProbeOrder, "maxTokens" | "timeout" | "proxy"> {
  return { maxTokens, timeout: timeout * 1000, ...(proxy === undefined || proxy === "" ? {} : { proxy }) };
}

/** The members of the ImageWorks probe first, those of the first prompt among them. */
function jsonOf(result: ProbeResult): object {
  const [first] = result.results;
  const { model, timestamp, kind, ok, ...rest } = result;
  return {
    model,
    timestamp,
    [`${kind}_ok`]: ok,
    latency_ms: first?.latency_ms ?? null,
    excerpt: first?.excerpt ?? "",
    status_code: first?.status_code ?? null,
    probe: kind,
    ...rest,
  };
}

function resultText({ model, endpoint, model_id, kind, media_type, ok, results, metrics }: ProbeResult, session: Session): string {
  const verdict = session.paint(ok ? "add" : "destroy", ok ? "ok" : "failed");
  const place = `${plainText(model_id)} at ${plainText(endpoint)}${media_type === null ? "" : `, ${media_type}`}`;
  const head = `${verdict}  ${kind} probe of ${plainText(model)} (${place})\n`;
  const lines = results.map((result) => {
    const speed = [
      `${formatDuration(result.latency_ms)} in all`,
      ...(result.ttft_ms === null ? [] : [`first token after ${formatDuration(result.ttft_ms)}`]),
      ...(result.tokens_per_second === null ? [] : [`${result.tokens_per_second} tokens/s`]),
      `${result.tokens} tokens`,
    ];
    const said = result.ok ? plainText(result.excerpt) : `HTTP ${result.status_code}: ${plainText(result.error ?? "no answer")}`;
    return `  ${plainText(result.prompt)}\n    ${said}\n    ${speed.join(", ")}\n`;
  });
  return `${head}${lines.join("")}${metrics.map(({ name, value }) => `  ${name.padEnd(38)} ${value}\n`).join("")}`;
}
