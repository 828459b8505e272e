import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { markerVariable, passedVariables } from "../../domain/activation/environment.ts";
import { failed } from "../../domain/failure.ts";
import type { ProcessExit, StartRequest } from "../../ports/process.ts";

/** A program that was started, and how it ended once it has. */
export interface StartedProgram {
  readonly pid: number;
  /** Waits until it is told: a program is gone from the process table a moment before. Undefined while it lives. */
  exit(): Promise<ProcessExit | undefined>;
}

/** Only a program that lives on makes anybody wait so long; on a crowded machine the end of another one can take a while to be told. */
const exitPatience = 5_000;

/** Starts a program in a session of its own, with its output in a file, so that it outlives this process and never waits for it. */
export async function startProgram(request: StartRequest, host: NodeJS.ProcessEnv): Promise<StartedProgram> {
  const output = openLog(request);
  try {
    const child = spawn(request.program, request.args, {
      cwd: request.folder,
      detached: true,
      env: childEnvironment(request, host),
      shell: false,
      stdio: ["ignore", output, output],
    });
    const exit = new Promise<ProcessExit>((ended) => {
      child.once("exit", (code, signal) => ended({ ...(code === null ? {} : { code }), ...(signal === null ? {} : { signal }) }));
    });
    await new Promise<void>((started, refused) => {
      child.once("spawn", () => started());
      child.once("error", (error) =>
        refused(
          failed("unexpected", `${request.program} could not be started: ${error.message}`, {
            cause: error,
            remedy: "check launch.command of the Backend",
          }),
        ),
      );
    });
    child.unref();
    return { pid: child.pid ?? 0, exit: () => within(exitPatience, exit) };
  } finally {
    closeSync(output);
  }
}

async function within<T>(patience: number, result: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  try {
    return await Promise.race([result, wait(patience, undefined, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}

/** The environment of an engine: a few variables of the host, what was declared, and the marker. */
export function childEnvironment(request: Pick<StartRequest, "env" | "instance">, host: NodeJS.ProcessEnv): Record<string, string> {
  const passed = passedVariables.flatMap((name) => (host[name] === undefined ? [] : [[name, host[name]] as const]));
  return { ...Object.fromEntries(passed), ...request.env, [markerVariable]: request.instance };
}

function openLog({ log, program, args }: StartRequest): number {
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  try {
    renameSync(log, `${log}.1`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  const file = openSync(log, "ax", 0o600);
  writeSync(file, `# holdfast started ${JSON.stringify([program, ...args])}\n`);
  return file;
}
