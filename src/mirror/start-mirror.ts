import { realpath, stat } from "node:fs/promises";
import { failed } from "../domain/failure.ts";
import { createCatalog, type Catalog } from "./catalog.ts";
import { ContentNames } from "./content-names.ts";
import { isLoopback } from "./host-guard.ts";
import { createMirrorApp } from "./mirror-app.ts";
import { ollamaFolder } from "./ollama-folder.ts";

/** What to serve, and where. */
export interface MirrorOptions {
  readonly directory: string;
  readonly host?: string;
  /** 0 = any free port. */
  readonly port?: number;
  readonly log?: (line: string) => void;
  /** Another name under which clients reach this server; Ollama is sent there for its blobs. On loopback there are two names anyway. */
  readonly ollamaBlobHost?: string;
  /** Needed to listen where other machines can connect. */
  readonly allowPublic?: boolean;
  /** Host names that requests may use beside the address. */
  readonly allowedHosts?: readonly string[];
}

/** A running mirror. */
export interface Mirror {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves a folder of models read-only, as a Hugging Face Hub and as an Ollama registry at once. Accepted in the folder, also mixed:
 *
 * - `<org>/<name>/**`: model folders; the commit is a hash of their content, `main` points to it; `<org>/<name>@<branch>/**` is another branch
 * - `models--<org>--<name>/`: a Hugging Face cache; commits, refs and files as they are
 * - `manifests/` and `blobs/`, in the folder itself or below `ollama/`: an Ollama store
 *
 * What changes on disk is seen with the next request. Nothing outside of the folder is served, whatever links say.
 */
export async function startMirror(options: MirrorOptions): Promise<Mirror> {
  const { host = "127.0.0.1", port = 0, log = () => undefined, allowedHosts = [], ollamaBlobHost } = options;
  if (!isLoopback(host) && options.allowPublic !== true) {
    throw failed("invalid-input", `mirror: ${host} can be reached by other machines`, { remedy: "listen on 127.0.0.1, or allow it explicitly" });
  }
  const root = await openDirectory(options.directory);
  const stopped = new AbortController();
  const catalog = createCatalog(root, new ContentNames(stopped.signal));
  let bound = host;
  const app = createMirrorApp({
    catalog,
    ollama: ollamaFolder(root),
    allowedHosts: [...allowedHosts, ...(ollamaBlobHost === undefined ? [] : [ollamaBlobHost])].map((name) => name.toLowerCase()),
    ...(ollamaBlobHost === undefined ? {} : { ollamaBlobHost }),
    bound: () => bound,
    log: (line) => log(printable(line)),
  });
  await app.listen({ host, port }).catch((error: unknown) => {
    throw notListening(error, host, port);
  });
  const address = app.server.address();
  if (address === null || typeof address === "string") throw new Error("a server that listens on a port has an address");
  bound = address.address;
  const warmed = warm(catalog, (line) => log(printable(line)), stopped.signal);
  return {
    url: `http://${reachable(bound)}:${address.port}`,
    port: address.port,
    close: async () => {
      stopped.abort();
      await app.close();
      await warmed;
    },
  };
}

const listenProblems: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  EADDRINUSE: ["something else listens there", "give another port with --port; 0 = any free one"],
  EACCES: ["the system does not allow it", "give a port above 1023 with --port"],
  EADDRNOTAVAIL: ["this machine does not have that address", "give an address of this machine with --host"],
  ENOTFOUND: ["no such host is known", "give an address of this machine with --host"],
};

/** A port or address that cannot be had is a matter of what was asked for, not of the program. */
function notListening(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const problem = listenProblems[code];
  if (problem === undefined) return error;
  const [why, remedy] = problem;
  return failed("invalid-input", `mirror: cannot listen on ${host} port ${port}: ${why}`, { remedy, cause: error });
}

function reachable(bound: string): string {
  if (bound === "0.0.0.0" || bound === "::") return "127.0.0.1";
  return bound.includes(":") ? `[${bound}]` : bound;
}

async function openDirectory(directory: string): Promise<string> {
  const root = await realpath(directory).catch(() => undefined);
  if (root !== undefined && (await stat(root)).isDirectory()) return root;
  throw failed("not-found", `mirror: there is no folder ${directory}`, { remedy: "name a folder that holds models" });
}

/** Hashes what must be hashed before somebody waits for it. */
async function warm(catalog: Catalog, log: (line: string) => void, signal: AbortSignal): Promise<void> {
  for (const repo of await catalog.repositories()) {
    if (signal.aborted) return;
    const lookup = await catalog.find(repo, "main").catch(() => undefined);
    if (lookup?.state === "found") log(`ready: ${repo}@${lookup.commit.commit.slice(0, 12)}, ${lookup.commit.files.length} files`);
  }
}

function printable(line: string): string {
  return line.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 2000);
}
