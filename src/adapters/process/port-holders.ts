import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { ProcessFacts } from "../../domain/activation.ts";
import type { PortHolders } from "../../ports/process.ts";

const listenState = "0A";
const engineWords = /vllm|lmdeploy|llama-server|api_server/i;
const portOptions: ReadonlySet<string> = new Set(["--port", "--server-port"]);

/**
 * Who has a port. A listener is found by its socket. A vLLM binds its port long before it listens, and connecting to it or binding it again does not
 * show that: so an engine that was told the port counts too.
 */
export function portHolders(port: number, processes: readonly ProcessFacts[]): PortHolders {
  const sockets = listeningSockets(port);
  const listeners = sockets.size === 0 ? [] : processes.filter((candidate) => hasSocket(candidate.pid, sockets));
  const told = processes.filter((candidate) => !listeners.includes(candidate) && isTold(candidate.command, port));
  return { listening: sockets.size > 0, listeners, told };
}

function listeningSockets(port: number): ReadonlySet<string> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => linesOf(path));
  const inodes = rows.flatMap((row) => {
    const columns = row.trim().split(/\s+/);
    return columns[1]?.endsWith(wanted) === true && columns[3] === listenState && columns[9] !== undefined ? [columns[9]] : [];
  });
  return new Set(inodes.map((inode) => `socket:[${inode}]`));
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

function hasSocket(pid: number, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((name) => sockets.has(linkOf(`/proc/${pid}/fd/${name}`)));
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function isTold(command: readonly string[], port: number): boolean {
  const text = String(port);
  const named = command.some(
    (argument, index) =>
      (portOptions.has(argument) && command[index + 1] === text) || [...portOptions].some((option) => argument === `${option}=${text}`),
  );
  return named && command.some((argument) => engineWords.test(argument));
}
