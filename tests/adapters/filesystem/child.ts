import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a child process ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const quiet = "--disable-warning=ExperimentalWarning";

/** Starts a TypeScript program of the tests with this Node. */
export function startProgram(file: URL, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [quiet, fileURLToPath(file), ...args], { stdio: ["pipe", "pipe", "pipe"] });
}

/** Runs a TypeScript program under strace with system calls that fail or kill as told, for example `fsync:error=EIO:when=1`. */
export function runInjected(inject: string, file: URL, args: readonly string[]): Promise<Ended> {
  const call = inject.split(":")[0] ?? "";
  const options = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${inject}`];
  // strace counts calls per thread, so there must be only one for the file system.
  const env = { ...process.env, UV_THREADPOOL_SIZE: "1" };
  return ended(spawn("strace", [...options, process.execPath, quiet, fileURLToPath(file), ...args], { env, stdio: ["ignore", "pipe", "pipe"] }));
}

/** Waits for the end of a child process. */
export function ended(child: ChildProcess): Promise<Ended> {
  const text = { stdout: "", stderr: "" };
  child.stdout?.on("data", (data: Buffer) => (text.stdout += data.toString()));
  child.stderr?.on("data", (data: Buffer) => (text.stderr += data.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...text }));
  });
}

/** False where strace is missing or may not trace. */
export function canInject(): boolean {
  const possible = spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status === 0;
  if (!possible) process.stderr.write("skipped: fault tests that need strace, which is missing or may not trace here\n");
  return possible;
}
