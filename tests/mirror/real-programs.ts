import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";

const run = promisify(execFile);

/** Path of a Python that has `huggingface_hub` and `safetensors`. */
export const python = process.env["HOLDFAST_TEST_PYTHON"];
/** Path of an `ollama` program; tests start a server of their own with it. */
export const ollama = process.env["HOLDFAST_TEST_OLLAMA_BIN"];

/** Says in one line why real programs are left out. */
export function reportMissing(suite: string): void {
  if (python === undefined)
    console.warn(`${suite}: the Python client is left out; set HOLDFAST_TEST_PYTHON to a Python with huggingface_hub and safetensors`);
  if (ollama === undefined) console.warn(`${suite}: Ollama is left out; set HOLDFAST_TEST_OLLAMA_BIN to its program`);
}

/** The environment that binds a Hub client to one endpoint and one cache. */
export function hubEnvironment(endpoint: string, home: string): Readonly<Record<string, string>> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    HF_HOME: home,
    HF_ENDPOINT: endpoint,
    HF_HUB_DISABLE_TELEMETRY: "1",
    HF_HUB_DISABLE_UPDATE_CHECK: "1",
    NO_COLOR: "1",
  };
}

/** Runs Python code that prints one JSON value; `args` are in `sys.argv[1:]`. */
export async function runPython(code: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<unknown> {
  const { stdout } = await run(python ?? "python3", ["-c", code, ...args], { env: { ...env } });
  const last = stdout.trim().split("\n").at(-1) ?? "";
  return JSON.parse(last) as unknown;
}

/** Runs the `hf` program beside that Python and returns what it printed. */
export async function runHf(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout, stderr } = await run(join(dirname(python ?? ""), "hf"), [...args], { env: { ...env } });
  return `${stdout}${stderr}`;
}

/** A real Ollama server with an empty store, stopped after the test; returns its URL. */
export async function startOllama(home: string): Promise<string> {
  const host = `127.0.0.1:${await freePort()}`;
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    OLLAMA_HOST: host,
    OLLAMA_MODELS: join(home, "models"),
    OLLAMA_NO_CLOUD: "1",
    NO_PROXY: "127.0.0.1,localhost",
  };
  const server = spawn(ollama ?? "ollama", ["serve"], { env, stdio: "ignore" });
  onTestFinished(async () => {
    if (server.exitCode !== null) return;
    server.kill();
    await once(server, "exit");
  });
  const url = `http://${host}`;
  for (let tries = 0; server.exitCode === null && tries < 400; tries++) {
    const answer = await fetch(`${url}/api/version`).catch(() => undefined);
    if (answer?.ok === true) return url;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the Ollama server did not start");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
