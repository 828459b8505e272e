import { isEngine } from "../../domain/activation/arguments.ts";
import type { ActivationRecord } from "../../domain/activation/activation.ts";
import type { Backend } from "../../domain/backend.ts";
import { failed } from "../../domain/failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { GrowingText } from "../../ports/serving-engine.ts";
import { logPath, placeOf, type ServingMachine } from "./activation-host.ts";
import { readRecord } from "./journal.ts";

/** A piece of a log and the file it is from. */
export interface LogPiece extends GrowingText {
  readonly path: string;
}

type Files = Pick<ServingMachine, "files" | "paths">;

/** Where the engine of a backend writes: the one that starts, else the one that serves, else the one that would be started. */
export async function logOf(machine: Files, backend: Backend, model: string | undefined): Promise<string> {
  const { type, metadata } = backend;
  if (!isEngine(type)) throw failed("invalid-input", `Holdfast does not start ${metadata.name}, so it keeps no log of it`, logElsewhere(type));
  const { record } = await readRecord(machine, placeOf(backend, undefined));
  const path = model === undefined ? writtenLog(record) : logPath(machine.paths, type, model);
  if (path !== undefined) return path;
  if (backend.active?.kind === "model" && record.attempts.length > 0) return logPath(machine.paths, type, backend.active.name);
  throw failed("not-found", `Holdfast never started anything on ${metadata.name}`, {
    remedy: "holdfast reconcile starts what is declared active; --model NAME shows the log of a model that was served earlier",
  });
}

function writtenLog({ pending, committed }: ActivationRecord): string | undefined {
  return pending !== undefined && "log" in pending ? pending.log : committed?.log;
}

function logElsewhere(type: Backend["type"]): { readonly remedy?: string } {
  return type === "ollama" ? { remedy: "Ollama writes its own: journalctl -u ollama, or ~/.ollama/logs/server.log" } : {};
}

const longestLine = 400;
const shortestTail = 64 * 1024;

/** The last lines of a log; throws HoldfastError when there is none. */
export async function lastLog(machine: Files, path: string, lines: number): Promise<LogPiece> {
  const piece = await machine.files.readFrom(path, -Math.max(shortestTail, lines * longestLine));
  if (piece === undefined) throw failed("not-found", `there is no log at ${path}`);
  const kept = piece.text.split("\n").slice(-(lines + (piece.text.endsWith("\n") ? 1 : 0)));
  return { ...piece, path, text: kept.join("\n") };
}

const pollEvery = 250;

/** What is written after a piece, also when a switch has begun another log; ends when the signal aborts. */
export async function* followLog(
  machine: Files,
  { start, pathNow }: { readonly start: LogPiece; readonly pathNow: () => Promise<string> },
  clock: Pick<Clock, "sleep">,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  let known = start;
  while (!signal.aborted) {
    const path = await pathNow();
    const continued = path === known.path ? await machine.files.readFrom(path, known.next) : undefined;
    const piece = continued?.file === known.file ? continued : await machine.files.readFrom(path, 0);
    if (piece !== undefined) {
      known = { ...piece, path };
      if (piece.text !== "") yield known;
    }
    await clock.sleep(pollEvery, signal).catch(() => undefined);
  }
}
