import { decisiveLines, reasonInLog, startFailureKind } from "../domain/activation-log.ts";
import type { ServingTarget } from "../domain/activation.ts";
import { failed, toFailure, type Failure, type HoldfastError } from "../domain/failure.ts";
import type { ProcessExit } from "../ports/process.ts";
import { quotedCommand } from "../report/command-line.ts";
import type { ActivationHost, StartJob } from "./activation-host.ts";

/** As much of a log as is searched for the reason: every worker of an engine writes a traceback, and its server two more after them. */
const searchedBytes = 256 * 1024;
const keptLines = 20;

/** Why a start failed, as far as the log and the end of the program tell. */
export interface StartFailure {
  readonly failure: Failure;
  /** One clause: what went wrong. */
  readonly reason: string;
  /** Log, command and state file, so that a person can go on from there. */
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
  const where = `log ${log}, command ${quotedCommand(target.argv)}${state}`;
  const remedies = {
    "gpu-busy": "the GPU has no room: free its memory, or lower --gpu-memory-utilization or --max-model-len",
    "launch-config": `the launch configuration is wrong: change launch of Model ${target.model} or of Backend ${job.place.backend}`,
    other: `read ${log}`,
  } as const;
  const failure: Failure = {
    code: cause.code,
    retry: kind === "gpu-busy" ? "transient" : cause.retry,
    message: `${target.model} did not come up on ${job.url}: ${reason}`,
    remedy: remedies[kind],
  };
  return { failure, reason, where, lines: decisiveLines(text, keptLines) };
}

async function tailOf(host: ActivationHost, log: string): Promise<string> {
  try {
    return await host.files.tail(log, searchedBytes);
  } catch {
    return "";
  }
}

/** The error of a failed start, with what became of the previous model. */
export function startError({ failure, where }: StartFailure, aftermath: string): HoldfastError {
  const { code, retry, message, remedy } = failure;
  return failed(code, `${message}; ${aftermath} (${where})`, { retry, ...(remedy === undefined ? {} : { remedy }) });
}
