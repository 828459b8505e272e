import type { Host } from "../../app/host.ts";
import { lockModels, type LockResult } from "../../app/lock.ts";
import { refreshLocks } from "../../app/registry/refresh-locks.ts";
import { exitCodeOfVerification, verifyModels, type Verification } from "../../app/verify.ts";
import { toFailure } from "../../domain/failure.ts";
import type { VerificationLevel } from "../../domain/observed.ts";
import { formatBytes } from "../../report/quantities.ts";
import { renderTable } from "../../report/table.ts";
import { plainText } from "../../report/escape.ts";
import { exclusively } from "../exclusively.ts";
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
  const wanted = options.lock === true ? lockable : [];
  const locked = await recordVerification(session, host, wanted, async () =>
    lockModels(host, project, { names: wanted, update: false, force: false, write: true, progress }, session.signal),
  );
  const exitCode = exitCodeOfVerification(results);
  writeOutputs(outputs, {
    text: () => `${textOf(results, session)}${locked.map((item) => `${item.state} ${item.name}: ${item.after ?? item.detail}\n`).join("")}`,
    json: () => jsonAnswer("VerificationResult", { exitCode, level: options.level, models: results, locked }),
  });
  return exitCode;
}

/** Locks what is wanted, and shows locks and times in the registry. Where another process is at work and nothing is to be locked, its pass does that. */
async function recordVerification(
  session: Session,
  host: Host,
  wanted: readonly string[],
  lock: () => Promise<readonly LockResult[]>,
): Promise<readonly LockResult[]> {
  try {
    return await exclusively(host, "verify", async () => {
      const locked = wanted.length === 0 ? [] : await lock();
      await refreshLocks(host, session.signal);
      return locked;
    });
  } catch (error) {
    if (wanted.length > 0 || toFailure(error).code !== "conflict") throw error;
    return [];
  }
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
  const defects = results.flatMap((result) => [
    ...result.defects.map((defect) => defectLines(result, defect)),
    ...(result.remedies ?? []).map((remedy, index) => `  ${index === 0 ? "next" : "or  "} ${plainText(remedy)}`),
  ]);
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
