import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { ProcessFacts } from "../../domain/activation/activation.ts";
import type { PortHolders } from "../../ports/process.ts";

const listenState = "0A";
const engineWords = /vllm|lmdeploy|llama-server|api_server/i;
const portOptions: ReadonlySet<string> = new Set(["--port", "--server-port"]);

/** Says who has a port, among processes that were read before. */
export type PortTable = (port: number, processes: readonly ProcessFacts[]) => PortHolders;

/**
 * Who has a port. A listener is found by its socket. A vLLM binds its port long before it listens, and connecting to it or binding it again does not
 * show that: so an engine that was told the port counts too. Asked about several ports among the same processes, it reads their sockets once.
 */
export function openPortTable(): PortTable {
  const known = new WeakMap<readonly ProcessFacts[], Sockets>();
  return (port, processes) => {
    const seen = known.get(processes) ?? readSockets(processes);
    known.set(processes, seen);
    const sockets = seen.listening.get(hexOf(port)) ?? [];
    const holders = new Set(sockets.flatMap((socket) => seen.owners().get(socket) ?? []));
    const listeners = processes.filter((candidate) => holders.has(candidate));
    const told = processes.filter((candidate) => !holders.has(candidate) && isTold(candidate.command, port));
    return { listening: sockets.length > 0, listeners, told };
  };
}

interface Sockets {
  /** Listening sockets by port in hexadecimal. */
  readonly listening: ReadonlyMap<string, readonly string[]>;
  /** Who has a socket open. Reads the open files of every process, once. */
  readonly owners: () => ReadonlyMap<string, readonly ProcessFacts[]>;
}

function readSockets(processes: readonly ProcessFacts[]): Sockets {
  const listening = listeningSockets();
  let owners: ReadonlyMap<string, readonly ProcessFacts[]> | undefined;
  return { listening, owners: () => (owners ??= ownersOf(new Set([...listening.values()].flat()), processes)) };
}

function hexOf(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

function listeningSockets(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const row of ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => linesOf(path))) {
    const [, address = "", , state, , , , , , inode] = row.trim().split(/\s+/);
    if (state !== listenState || inode === undefined) continue;
    const port = address.slice(address.lastIndexOf(":") + 1);
    found.set(port, [...(found.get(port) ?? []), `socket:[${inode}]`]);
  }
  return found;
}

function ownersOf(sockets: ReadonlySet<string>, processes: readonly ProcessFacts[]): ReadonlyMap<string, readonly ProcessFacts[]> {
  const owners = new Map<string, ProcessFacts[]>();
  for (const candidate of processes) {
    for (const socket of openFiles(candidate.pid)) if (sockets.has(socket)) owners.set(socket, [...(owners.get(socket) ?? []), candidate]);
  }
  return owners;
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

function openFiles(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => linkOf(`/proc/${pid}/fd/${name}`));
  } catch {
    return [];
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
