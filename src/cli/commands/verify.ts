import { lockModels } from "../../app/lock.ts";
import { exitCodeOfVerification, verifyModels, type Verification } from "../../app/verify.ts";
import type { VerificationLevel } from "../../domain/observed.ts";
import { formatBytes } from "../../report/quantities.ts";
import { renderTable } from "../../report/table.ts";
import { plainText } from "../../report/escape.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";
import { requireModels } from "./require-models.ts";

/** `holdfast verify`: reads bytes again and compares them with the lock. */
export async function verify(
  session: Session,
  options: CommonOptions & { readonly level: VerificationLevel; readonly lock?: boolean },
  names: readonly string[],
): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host("write");
  const project = await session.project(host);
  requireModels(project.desired, names);
  const progress = await session.progress();
  const results = await verifyModels(host, project, { names, level: options.level, progress }, session.signal);
  const lockable = results.filter((result) => result.state === "unlocked").map((result) => result.name);
  const locked =
    options.lock === true && lockable.length > 0
      ? await lockModels(host, project, { names: lockable, update: false, force: false, progress }, session.signal)
      : [];
  const exitCode = exitCodeOfVerification(results);
  writeOutputs(outputs, {
    text: () => `${textOf(results, session)}${locked.map((item) => `${item.state} ${item.name}: ${item.after ?? item.detail}\n`).join("")}`,
    json: () => jsonAnswer("VerificationResult", { exitCode, level: options.level, models: results, locked }),
  });
  return exitCode;
}

function textOf(results: readonly Verification[], session: Session): string {
  const columns = [
    { title: "name", minimum: 12 },
    { title: "result" },
    { title: "level" },
    { title: "files", align: "right" as const },
    { title: "size", align: "right" as const },
    { title: "detail" },
  ];
  const rows = results.map((result) => [
    result.name,
    result.state,
    result.level,
    String(result.files),
    result.bytes === 0 ? "-" : formatBytes(result.bytes),
    result.detail,
  ]);
  const defects = results.flatMap((result) => result.defects.map((defect) => defectLines(result, defect)));
  const count = (state: Verification["state"]): number => results.filter((result) => result.state === state).length;
  const bad = count("violation") + count("missing");
  const sentence = `Verified: ${count("ok")} locked and right, ${count("unlocked")} not locked, ${bad} wrong, ${count("unknown")} unknown.\n`;
  return `${renderTable(columns, rows, { width: session.tableWidth })}\n${defects.length === 0 ? "" : `${defects.join("\n")}\n\n`}${sentence}`;
}

function defectLines(result: Verification, defect: Verification["defects"][number]): string {
  const lines = [`${defect.kind.toUpperCase()} ${plainText(result.name)}  ${plainText(defect.path)}`];
  if (defect.expected !== undefined) lines.push(`    expected ${plainText(defect.expected)}`);
  if (defect.actual !== undefined) lines.push(`    got      ${plainText(defect.actual)}`);
  return lines.join("\n");
}
