import { readdirSync, readFileSync } from "node:fs";
import { failed } from "../../domain/failure.ts";
import { markerVariable } from "../../domain/activation/environment.ts";
import type { ProcessFacts } from "../../domain/activation/activation.ts";

/** The kernel counts start times in these, whatever its own clock; the same on every Linux architecture Node runs on. */
const ticksPerSecond = 100;

/** One line of `/proc/<pid>/stat`, as far as it matters. */
export interface ProcStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly threads: number;
  readonly startTicks: string;
}

/** Reads the processes of this machine from `/proc`. */
export interface ProcTable {
  /** A live process, or undefined. */
  look(pid: number): ProcessFacts | undefined;
  /** Identity of a live process without reading its arguments: cheap, and never blocked by a stuck process. */
  identify(pid: number): string | undefined;
  /** Every live process; `wanted` decides by the cheap line whether the rest is read. */
  all(): readonly ProcessFacts[];
}

/** Opens the process table; throws HoldfastError `unsupported` where there is none. */
export function openProcTable(root = "/proc"): ProcTable {
  const boot = readText(`${root}/sys/kernel/random/boot_id`)?.trim();
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readText(`${root}/stat`) ?? "")?.[1]);
  if (boot === undefined || Number.isNaN(bootSeconds))
    throw failed("unsupported", "serving engines are started and stopped on Linux only, where processes can be told apart", {
      remedy: "start the engine yourself; Holdfast observes and compares it",
    });
  const startedOf = (stat: ProcStat): string => `${boot}:${stat.startTicks}`;
  const look = (pid: number): ProcessFacts | undefined => {
    const stat = readStat(root, pid);
    return stat === undefined || !isLive(stat)
      ? undefined
      : {
          ...factsOf(root, stat),
          started: startedOf(stat),
          startedAt: new Date(bootSeconds * 1000 + (Number(stat.startTicks) / ticksPerSecond) * 1000).toISOString(),
        };
  };
  return {
    look,
    identify: (pid) => {
      const stat = readStat(root, pid);
      return stat === undefined || !isLive(stat) ? undefined : startedOf(stat);
    },
    all: () => readdirSync(root).flatMap((name) => (/^\d+$/.test(name) ? (look(Number(name)) ?? []) : [])),
  };
}

/** A zombie is gone, except where only its main thread has ended. */
function isLive({ state, threads }: ProcStat): boolean {
  return (state !== "Z" && state !== "X") || threads > 1;
}

function factsOf(root: string, { pid, state, parent, group, session }: ProcStat): Omit<ProcessFacts, "started" | "startedAt"> {
  // Reading the memory of a process that is stuck in the kernel can block for good.
  if (state === "D") return { pid, parent, group, session, command: [] };
  const command = (readText(`${root}/${pid}/cmdline`) ?? "").split("\0");
  const instance = markerOf(readText(`${root}/${pid}/environ`) ?? "");
  return {
    pid,
    parent,
    group,
    session,
    command: command.slice(0, command.at(-1) === "" ? -1 : undefined),
    ...(instance === undefined ? {} : { instance }),
  };
}

function markerOf(environ: string): string | undefined {
  const prefix = `${markerVariable}=`;
  return environ
    .split("\0")
    .find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length);
}

function readStat(root: string, pid: number): ProcStat | undefined {
  const text = readText(`${root}/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Parses a stat line; the name in parentheses may hold spaces and parentheses itself. */
export function parseStat(text: string): ProcStat | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, parent, group, session] = fields;
  const startTicks = fields[19];
  const pid = Number.parseInt(text, 10);
  if (state === undefined || startTicks === undefined || Number.isNaN(pid)) return undefined;
  return { pid, state, parent: Number(parent), group: Number(group), session: Number(session), threads: Number(fields[17]), startTicks };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
