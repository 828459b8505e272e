import { failed } from "../../domain/failure.ts";
import { followLog, lastLog, logOf } from "../../app/activation/serving-log.ts";
import { nearest } from "../../manifest/nearest.ts";
import { plainLines } from "../../report/escape.ts";
import type { CommonOptions, Session } from "../session.ts";

interface LogOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly model?: string;
}

const usualLines = 50;

/** `holdfast logs BACKEND`: what the engine behind a backend wrote last, and with `-f` what it writes from now on. */
export async function logs(session: Session, options: LogOptions, [name = ""]: readonly string[]): Promise<number> {
  const host = await session.host();
  const { desired, lock } = await session.project(host);
  const names = desired.backends.map((candidate) => candidate.metadata.name);
  const backend = desired.backends.find((candidate) => candidate.metadata.name === name);
  if (backend === undefined) {
    const close = nearest(name, names);
    throw failed("invalid-input", `no manifest declares a Backend ${JSON.stringify(name)}`, {
      remedy: close === undefined ? `declared are: ${names.join(", ") || "none"}` : `did you mean ${close}?`,
    });
  }
  const { machine } = await host.connect(desired, "server", { memory: await host.state.load(), lock });
  const pathNow = (): Promise<string> => logOf(machine, backend, options.model);
  const start = await lastLog(machine, await pathNow(), options.lines ?? usualLines);
  session.say(`==> ${start.path}\n`);
  process.stdout.write(plainLines(start.text));
  if (options.follow !== true) return 0;
  let shown = start.path;
  for await (const piece of followLog(machine, { start, pathNow }, host.clock, session.signal)) {
    if (piece.path !== shown) session.say(`\n==> ${piece.path}\n`);
    shown = piece.path;
    process.stdout.write(plainLines(piece.text));
  }
  return 0;
}
