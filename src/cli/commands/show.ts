import { existsSync } from "node:fs";
import { preview } from "../../app/preview.ts";
import { statusOf } from "../../app/status.ts";
import { lockEntryOf } from "../../domain/lock.ts";
import { decodePlan } from "../../manifest/plan-file.ts";
import { formatBytes, formatSpan } from "../../report/quantities.ts";
import { plainText } from "../../report/escape.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { readPlan } from "./apply.ts";
import { planFormats, showPlan } from "./plan.ts";
import { previewOptions } from "./plan-options.ts";
import { requireModels } from "./require-models.ts";
import { checkPreconditions, freshLook } from "../../app/check-preconditions.ts";
import type { Plan } from "../../domain/action.ts";

/** `holdfast show NAME|PLAN`: everything known about one model, or a saved plan with its stale actions marked. */
export async function show(session: Session, options: CommonOptions, [name = ""]: readonly string[]): Promise<number> {
  return name.endsWith(".json") && existsSync(name) ? showSavedPlan(session, options, name) : showModel(session, options, name);
}

async function showSavedPlan(session: Session, options: CommonOptions, file: string): Promise<number> {
  const plan = decodePlan(await readPlan(file));
  const host = await session.host();
  const outputs = decodeOutputs(options.output ?? [], planFormats);
  showPlan(session, { plan, verdicts: [] }, { outputs, host: host.name, details: true });
  if (outputs.every((output) => output.format !== "text")) return 0;
  const stale = await staleActions(session, plan);
  process.stdout.write(stale.length === 0 ? "Every action can still be applied as planned.\n" : stale.join(""));
  return 0;
}

async function staleActions(session: Session, plan: Plan): Promise<readonly string[]> {
  const host = await session.host();
  const project = await session.project(host);
  const memory = await host.state.load();
  const { readers } = await host.connect(host.withDefaults(project.desired, memory), "server", { memory, lock: project.lock });
  const lines: string[] = [];
  for (const action of plan.actions) {
    const reason = await checkPreconditions(action, freshLook(readers, session.signal)).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    if (reason !== undefined) lines.push(`stale: ${action.id} ${action.verb} ${plainText(action.object)}: ${plainText(reason)}\n`);
  }
  return lines;
}

async function showModel(session: Session, options: CommonOptions, name: string): Promise<number> {
  const host = await session.host();
  const project = await session.project(host);
  requireModels(project.desired, [name]);
  const view = await preview(host, project, await previewOptions(session, host, {}), session.signal);
  const status = (await statusOf(host, view)).find((candidate) => candidate.name === name);
  const assessment = view.assessments.find((candidate) => candidate.model.metadata.name === name);
  const holding = assessment?.state === "held" ? assessment.holding : undefined;
  const model = assessment?.model;
  const lock = lockEntryOf(project.lock, name);
  const drifts = view.drifts.filter((drift) => drift.object === `model/${name}`);
  const actions = view.plan.actions.filter((action) => action.name === name);
  writeOutputs(decodeOutputs(options.output ?? [], ["json"] as const), {
    text: () => {
      const facts = holding?.facts;
      const rows: readonly (readonly [string, string | undefined])[] = [
        ["declared in", model === undefined ? undefined : `${model.metadata.location.file}:${model.metadata.location.line}`],
        ["source", model === undefined ? undefined : sourceText(model.source)],
        ["roles", status?.roles.join(", ")],
        ["health", status?.health],
        ["state", status?.stateText],
        ["last failure", status?.lastFailure],
        ["keep loaded", status?.keepLoaded === undefined ? undefined : status.keepLoaded === "forever" ? "for ever" : formatSpan(status.keepLoaded)],
        ["last used", status?.lastUsed],
        ["drift", status?.drift],
        ["locked to", lock === undefined ? "not locked" : (status?.desired ?? lock.contentDigest)],
        ["holds", status?.applied],
        ["at", holding?.location],
        ["size", status?.sizeBytes === undefined ? undefined : formatBytes(status.sizeBytes)],
        ["verified", status?.verifiedAt === undefined ? "never" : `${status.verifiedAt} at level ${status.verifiedLevel ?? "?"}`],
        ["ours since", status?.since],
        ["architecture", facts?.architecture ?? facts?.family],
        ["context", facts?.contextLength?.toString()],
        ["quantization", facts?.quantization],
        [
          "capabilities",
          facts === undefined
            ? undefined
            : Object.entries(facts.capabilities)
                .flatMap(([key, { value, from }]) => (value ? [`${key} (${from})`] : []))
                .join(", "),
        ],
      ];
      const body = rows.flatMap(([title, value]) => (value === undefined || value === "" ? [] : [`  ${title.padEnd(13)} ${plainText(value)}\n`]));
      const files = (holding?.artifacts ?? []).map(
        ({ path, size, found }) =>
          `    ${formatBytes(size).padStart(8)}  ${found.state === "present" ? found.level : found.state}  ${plainText(path)}\n`,
      );
      const notes = [
        ...drifts.map((drift) => `  ${drift.class}: ${plainText(drift.message)} -> ${plainText(drift.response)}\n`),
        ...actions.map((action) => `  next pass: ${action.verb}: ${plainText(action.reason)}\n`),
      ];
      return `${plainText(name)}\n${body.join("")}${files.length === 0 ? "" : `  files\n${files.join("")}`}${notes.join("")}`;
    },
    json: () => jsonAnswer("Model", { status, model, lock: lock ?? null, holding: holding ?? null, drifts, actions }),
  });
  return 0;
}

function sourceText(source: {
  readonly kind: string;
  readonly model?: string;
  readonly repo?: string;
  readonly revision?: string;
  readonly dir?: string;
}): string {
  return [source.kind, source.model ?? source.repo ?? source.dir, source.revision].filter((part) => part !== undefined).join(" ");
}
