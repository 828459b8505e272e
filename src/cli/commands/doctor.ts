import { examine } from "../../app/doctor/doctor.ts";
import type { Check } from "../../app/doctor/check.ts";
import { exitCodes } from "../../app/exit-code.ts";
import { plainText } from "../../report/escape.ts";
import { count } from "../../report/quantities.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

const marks: Readonly<Record<Check["state"], string>> = { ok: "ok  ", warning: "warn", failed: "FAIL" };

/** `holdfast doctor`: one mark, one fact, one remedy per line. */
export async function doctor(session: Session, options: CommonOptions): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const git = await gitVersion();
  const checks = await examine(
    await session.host(),
    { nodeVersion: process.versions.node, minimumNode: "22.19.0", ...(git === undefined ? {} : { gitVersion: git }) },
    session.signal,
  );
  const broken = checks.filter((check) => check.state === "failed").length;
  writeOutputs(outputs, {
    text: () => `${checks.map((check) => lineOf(check, session)).join("")}${verdictOf(checks)}\n`,
    json: () => jsonAnswer("Doctor", { checks }),
  });
  return broken === 0 ? exitCodes.done : exitCodes.unexpected;
}

function verdictOf(checks: readonly Check[]): string {
  const failed = checks.filter((check) => check.state === "failed").length;
  const warned = checks.filter((check) => check.state === "warning").length;
  if (failed > 0) return `${count(failed, "check")} failed.`;
  return warned > 0 ? `Nothing failed; ${count(warned, "warning")}.` : "All checks passed.";
}

function lineOf(check: Check, session: Session): string {
  const tone = check.state === "ok" ? "good" : check.state === "warning" ? "warning" : "error";
  const remedy = check.remedy === undefined ? "" : `\n     ${plainText(check.remedy)}`;
  return `${session.paint(tone, marks[check.state])} ${plainText(check.fact)}  (${check.id})${remedy}\n`;
}

async function gitVersion(): Promise<string | undefined> {
  const { execa } = await import("execa");
  const result = await execa("git", ["--version"], { reject: false, timeout: 5000 });
  return result.failed ? undefined : /\d+\.\d+(\.\d+)?/.exec(result.stdout)?.[0];
}
