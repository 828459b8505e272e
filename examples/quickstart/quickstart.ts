import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { writeGgufModel, writeHubModel, writeOllamaModel } from "./models.ts";

/**
 * The whole loop on tiny real models, offline: a hub on loopback, a plan, the apply, an empty plan, a lock, one flipped byte, the drift that names
 * it, the repair, and a switch of what is served, on a stand-in for vLLM. Everything happens below one temporary folder, which is left for you to look at.
 */

const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const cli = join(repository, "dist", "cli", "main.js");
/** Speaks vLLM's command line and endpoints; runs no model. */
const standIn = join(repository, "tests", "fakes", "vllm", "vllm.ts");
const home = await mkdtemp(join(tmpdir(), "holdfast-quickstart-"));
const project = join(home, "project");
const cache = join(home, "hub-cache");
const shelf = join(home, "shelf");
const environment: NodeJS.ProcessEnv = {
  PATH: process.env["PATH"],
  HOME: home,
  HF_HUB_CACHE: cache,
  ...(process.env["NO_COLOR"] === undefined ? {} : { NO_COLOR: process.env["NO_COLOR"] }),
};

interface Choices {
  readonly store: string;
  readonly port: number;
  /** What the single-port backend serves. */
  readonly active?: string;
  /** More arguments for the engine. */
  readonly args?: readonly string[];
}

const manifests = ({
  store,
  port,
  active = "none",
  args = [],
}: Choices): string => `# yaml-language-server: $schema=../configs/schemas/manifest.schema.json
apiVersion: holdfast.dev/v1
kind: Model
metadata:
  name: tiny-writer
spec:
  source:
    huggingface:
      repo: quickstart/tiny-writer
      revision: main
  roles: [chat]
  license: apache-2.0
  backend: gpu
  launch:
    args: ${JSON.stringify(args)}
---
apiVersion: holdfast.dev/v1
kind: Model
metadata:
  name: tiny-embedder
spec:
  source:
    huggingface:
      repo: quickstart/tiny-embedder-gguf
      revision: main
      include: ["*.gguf"]
  roles: [embedding]
---
apiVersion: holdfast.dev/v1
kind: Backend
metadata:
  name: shelf
spec:
  type: ollama
  store: ${JSON.stringify(store)}
---
apiVersion: holdfast.dev/v1
kind: Backend
metadata:
  name: gpu
spec:
  type: vllm
  host: 127.0.0.1
  port: ${port}
  active: ${active}
  launch:
    command: ${JSON.stringify([process.execPath, standIn])}
  activation:
    startTimeout: 60s
`;

function heading(number: number, text: string): void {
  process.stdout.write(`\n=== ${number}. ${text}\n`);
}

async function holdfast(args: readonly string[], expected: number): Promise<void> {
  process.stdout.write(`$ holdfast ${args.join(" ")}\n`);
  const child = spawn(process.execPath, [cli, ...args], { cwd: project, env: environment, stdio: ["ignore", "inherit", "inherit"] });
  const [code]: unknown[] = await once(child, "exit");
  process.stdout.write(`(exit code ${String(code)})\n`);
  if (code !== expected) throw new Error(`holdfast ${args.join(" ")} ended with ${String(code)}, expected ${expected}`);
}

async function startMirror(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [cli, "mirror", "serve", shelf, "--port", "0"], {
    cwd: home,
    env: environment,
    stdio: ["ignore", "pipe", "ignore"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url !== undefined) return { child, url };
  }
  throw new Error("the mirror did not start");
}

async function declare(choices: Choices): Promise<void> {
  await writeFile(join(project, "manifests", "models.yaml"), manifests(choices));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

async function fillShelf(): Promise<string> {
  const store = join(home, "ollama-store");
  await writeHubModel(join(shelf, "quickstart", "tiny-writer"), { seed: 1 });
  await writeGgufModel(join(shelf, "quickstart", "tiny-embedder-gguf", "tiny-embedder.gguf"), { seed: 2, kind: "embedding" });
  await writeOllamaModel(store, "tiny-chat:1b", { seed: 3 });
  await writeOllamaModel(store, "tiny-code:1b", { seed: 4 });
  return store;
}

/** Turns one bit of the biggest downloaded file, size unchanged: what a failing disk does. */
async function flipOneByte(): Promise<string> {
  const folder = join(cache, "models--quickstart--tiny-writer", "snapshots");
  const [commit = ""] = await readdir(folder);
  const file = join(folder, commit, "model.safetensors");
  const { chmod } = await import("node:fs/promises");
  await chmod(file, 0o644);
  const handle = await open(file, "r+");
  const { size } = await handle.stat();
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, size - 100);
  byte.writeUInt8(byte.readUInt8(0) ^ 1);
  await handle.write(byte, 0, 1, size - 100);
  await handle.close();
  return file;
}

const started = performance.now();
process.stdout.write(`Holdfast quickstart. No network, no Ollama, no GPU: a hub on loopback serves tiny real models.\nEverything is below ${home}\n`);
const store = await fillShelf();
const port = await freePort();
await mkdir(join(project, "manifests"), { recursive: true });
await declare({ store, port });
const mirror = await startMirror();
environment["HF_ENDPOINT"] = mirror.url;
try {
  heading(1, "Two models are declared in manifests/models.yaml. What would happen?");
  await holdfast(["plan"], 0);
  heading(2, "Make it so. The files are hashed while they arrive; an Ollama store on disk is imported as it is.");
  await holdfast(["reconcile"], 0);
  heading(3, "Nothing is left to do.");
  await holdfast(["plan", "--detailed-exitcode"], 0);
  heading(4, "Pin the exact bytes, so that Git says which ones they must be.");
  await holdfast(["lock"], 0);
  heading(5, "A disk error: one bit of the weights flips, the size stays the same.");
  process.stdout.write(`flipped one bit in ${await flipOneByte()}\n`);
  await holdfast(["drift", "--verify", "full"], 2);
  heading(6, "Repair fetches only the file that is wrong, from the locked commit.");
  await holdfast(["reconcile"], 0);
  await holdfast(["verify"], 0);
  heading(7, "What this machine has, for programs that use the models.");
  await holdfast(["list"], 0);
  heading(8, "Serve one of them. The engine here is a STAND-IN for vLLM: it has vLLM's command line and endpoints and runs no model.");
  await declare({ store, port, active: "tiny-writer" });
  await holdfast(["plan"], 0);
  await holdfast(["reconcile", "--progress", "none"], 0);
  await holdfast(["current-model"], 0);
  heading(9, "A change that does not start: the server that worked is put back, and the reason is told.");
  await declare({ store, port, active: "tiny-writer", args: ["--no-such-option"] });
  await holdfast(["reconcile", "--progress", "none"], 26);
  await holdfast(["status"], 0);
  heading(10, "Nothing is to be served any more.");
  await declare({ store, port });
  await holdfast(["reconcile", "--progress", "none"], 0);
} catch (error) {
  await declare({ store, port });
  await holdfast(["activate-model", "--stop", "--progress", "none"], 0);
  throw error;
} finally {
  mirror.child.kill("SIGTERM");
  await once(mirror.child, "exit");
}
process.stdout.write(`
Done in ${((performance.now() - started) / 1000).toFixed(1)} s.
  registry      ${join(project, "configs", "model_registry.json")}
  drift report  ${join(project, "configs", "drift-report.json")} and .md
  lock file     ${join(project, "holdfast.lock.yaml")}
Next: holdfast init in a folder of your own, or read README.md.
`);
