import { decisiveLines, reasonInLog, startFailureKind } from "../../domain/activation/log.ts";
import type { ServingTarget } from "../../domain/activation/activation.ts";
import { failed, toFailure, type Failure, type HoldfastError } from "../../domain/failure.ts";
import type { ProcessExit } from "../../ports/process.ts";
import { quotedCommand } from "../../report/command-line.ts";
import type { ActivationHost, StartJob } from "./activation-host.ts";

/** As much of a log as is searched for the reason: every worker of an engine writes a traceback, and its server two more after them. */
const searchedBytes = 256 * 1024;
const keptLines = 20;

/** Why a start failed, as far as the log and the end of the program tell. */
export interface StartFailure {
  readonly failure: Failure;
  /** One clause: what went wrong. */
  readonly reason: string;
  readonly log: string;
  /** Command and state file, so that a person can go on from there. */
  readonly where: string;
  /** The lines of the log that say why. */
  readonly lines: readonly string[];
}

/** What went wrong, in words and with the log's own. */
export async function explainStart(
  job: StartJob,
  started: { readonly target: ServingTarget; readonly log: string; readonly exit?: ProcessExit },
  error: unknown,
): Promise<StartFailure> {
  const cause = toFailure(error);
  const text = await tailOf(job.host, started.log);
  const kind = startFailureKind(started.exit?.code, text);
  const said = reasonInLog(text);
  const reason = said === undefined || cause.code === "integrity" ? cause.message : `${cause.message}: ${said}`;
  const { target, log } = started;
  const state = job.place.stateFile === undefined ? "" : `, state file ${job.place.stateFile}`;
  const where = `command ${quotedCommand(target.argv)}${state}`;
  const remedies = {
    "gpu-busy": "the GPU has no room: free its memory, or lower --gpu-memory-utilization or --max-model-len",
    "launch-config": `the launch configuration is wrong: change launch of Model ${target.model} or of Backend ${job.place.backend}`,
    other: undefined,
  } as const;
  const remedy = remedies[kind];
  const failure: Failure = {
    code: cause.code,
    retry: kind === "gpu-busy" ? "transient" : cause.retry,
    message: `${target.model} did not come up on ${job.url}: ${reason}`,
    ...(remedy === undefined ? {} : { remedy }),
  };
  return { failure, reason, log, where, lines: decisiveLines(text, keptLines) };
}

async function tailOf(host: ActivationHost, log: string): Promise<string> {
  try {
    return await host.files.tail(log, searchedBytes);
  } catch {
    return "";
  }
}

/** The error of a failed start, with what became of the previous model. A log whose place another server has taken is kept beside it. */
export function startError({ failure, where, log }: StartFailure, aftermath: string, takenBy?: string): HoldfastError {
  const { code, retry, message, remedy } = failure;
  const kept = takenBy === log ? `${log}.1` : log;
  return failed(code, `${message}; ${aftermath} (log ${kept}, ${where})`, { retry, remedy: remedy ?? `read ${kept}` });
}
