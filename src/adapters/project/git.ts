import { failed, type HoldfastError } from "../../domain/failure.ts";

/** A question to git. */
export interface GitQuestion {
  readonly root: string;
  readonly args: readonly string[];
  readonly input?: string;
  readonly signal: AbortSignal;
}

/** What git answered. */
export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const timeoutMs = 5_000;
const largestAnswer = 192 * 1024 * 1024;

/** A repository is other people's input: none of its hooks, monitors, filters, remotes or replaced objects may have a say. */
const settings = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never", "protocol.ext.allow=never"];

/** Asks git, with nothing of our environment but what it needs to find itself and the user's own settings. */
export async function askGit({ root, args, input, signal }: GitQuestion): Promise<GitAnswer> {
  signal.throwIfAborted();
  const { execa } = await import("execa");
  const result = await execa("git", ["--no-optional-locks", ...settings.flatMap((setting) => ["-c", setting]), ...args], {
    cwd: root,
    env: environment(),
    extendEnv: false,
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    encoding: "buffer",
    stripFinalNewline: false,
    maxBuffer: largestAnswer,
    timeout: timeoutMs,
    cancelSignal: signal,
    reject: false,
  });
  signal.throwIfAborted();
  const { exitCode, stdout, stderr } = result;
  if (exitCode === undefined || result.timedOut || result.isMaxBuffer) throw noAnswer(args, result);
  return { exitCode, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr).toString("utf8") };
}

/** The failure of a question that git refused; its first line says why. */
export function refused(what: string, { stderr, exitCode }: GitAnswer): HoldfastError {
  const [line = ""] = stderr.split("\n");
  return failed("unexpected", `${what}: git ended with ${exitCode}${line === "" ? "" : `, ${line}`}`);
}

function noAnswer(
  args: readonly string[],
  result: { readonly timedOut: boolean; readonly code?: string | undefined; readonly shortMessage?: string | undefined },
): HoldfastError {
  const command = `git ${args[0] ?? ""}`;
  if (result.code === "ENOENT") return failed("unsupported", "git is not installed, or not on the PATH", { remedy: "install git" });
  if (result.timedOut) return failed("timeout", `${command} gave no answer within ${timeoutMs / 1000} s`, { retry: "transient" });
  return failed("unexpected", `${command} failed: ${result.shortMessage ?? "no reason given"}`);
}

function environment(): Record<string, string> {
  const { PATH, HOME, XDG_CONFIG_HOME, SystemRoot } = process.env;
  const kept = Object.entries({ PATH, HOME, XDG_CONFIG_HOME, SystemRoot }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(kept),
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "none",
    GIT_NO_LAZY_FETCH: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
  };
}
