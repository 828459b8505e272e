#!/usr/bin/env node
// A stand-in for `vllm serve`, without any model: the command line, endpoints, log lines, signals and bad habits of the real one, in milliseconds.
// Also understands `serve api_server ...` (LMDeploy) and `-m FILE ...` (llama.cpp). Switches: FAKE_VLLM_*, see settings.ts.
import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { answer, type EngineState } from "./answers.ts";
import { readSettings, UsageError, type Settings } from "./settings.ts";

/** Binds without listening, as vLLM does until its model is loaded; Node itself offers only both at once. */
interface BoundSocket {
  bind(host: string, port: number): number;
}

function bindOnly(host: string, port: number): BoundSocket | undefined {
  const binding: unknown = Reflect.get(process, "binding");
  if (typeof binding !== "function") return undefined;
  const { TCP, constants } = binding.call(process, "tcp_wrap");
  const socket: BoundSocket = new TCP(constants.SERVER);
  socket.bind(host === "localhost" ? "127.0.0.1" : host, port);
  return socket;
}

function say(who: string, text: string): void {
  process.stdout.write(`(${who} pid=${process.pid}) INFO 11-21 09:00:00 [stand-in] ${text}\n`);
}

function note({ times }: Settings, event: string, at = performance.timeOrigin + performance.now()): void {
  if (times !== undefined) appendFileSync(times, `${JSON.stringify({ event, pid: process.pid, at })}\n`);
}

function startEngine({ engine }: Settings): readonly ChildProcess[] {
  if (engine === "none") return [];
  const env: NodeJS.ProcessEnv = { ...process.env };
  if (engine === "unmarked") delete env["HOLDFAST_INSTANCE_ID"];
  return [spawn("sleep", ["100000"], { argv0: "VLLM::EngineCore", env, stdio: "ignore" })];
}

async function serve(settings: Settings): Promise<void> {
  const state: EngineState = { engineDead: false, asleep: false, readySince: 0 };
  let loading = true;
  const engines: ChildProcess[] = [];
  const endEngines = (): void => {
    for (const engine of engines) {
      engine.removeAllListeners("exit");
      engine.kill("SIGKILL");
    }
  };
  const end = async (): Promise<never> => {
    await wait(settings.stopMs);
    endEngines();
    note(settings, "end");
    if (!loading) process.exit(0);
    // A signal while loading raises KeyboardInterrupt, and the process dies of SIGINT.
    process.kill(process.pid, "SIGINT");
    return wait(10_000, process.exit(130));
  };
  let asked = false;
  const onTerm = (): void => {
    if (settings.ignoreTerm === "always" || (settings.ignoreTerm === "load" && loading) || asked) return;
    asked = true;
    note(settings, "signal");
    void end();
  };
  note(settings, "start", performance.timeOrigin);
  await wait(settings.importMs);
  process.on("SIGTERM", onTerm);
  const socket = bindOnly(settings.host, settings.port);
  say("APIServer", "Initializing a V1 LLM engine (v0.0.0)");
  engines.push(...startEngine(settings));
  engines[0]?.on("exit", () => {
    state.engineDead = true;
    say("APIServer", "EngineCore died unexpectedly");
    setTimeout(() => process.exit(loading ? 1 : 0), settings.watchdogMs);
  });
  say("EngineCore", `Starting to load model ${settings.model}`);
  await wait(settings.loadMs / 2);
  say("EngineCore", "Loading safetensors checkpoint shards: 100% Completed | 1/1");
  await wait(settings.loadMs / 2);
  while (settings.gate !== undefined && !existsSync(settings.gate)) await wait(5);
  if (settings.crash !== undefined) {
    endEngines();
    process.stdout.write(`(EngineCore pid=${process.pid}) ERROR 11-21 09:00:00 [core.py:700] ${settings.crash.text}\n`);
    process.stdout.write(
      `(APIServer pid=${process.pid}) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n`,
    );
    process.exit(settings.crash.code);
  }
  const server = createServer((request, response) => answer(request, response, settings, state));
  server.on("error", (error) => {
    process.stdout.write(`OSError: [Errno 98] Address already in use: ${error.message}\n`);
    endEngines();
    process.exit(1);
  });
  server.listen(socket ?? { host: settings.host, port: settings.port }, () => {
    loading = false;
    state.readySince = Date.now();
    note(settings, "ready");
    say("APIServer", `Starting vLLM server on http://${settings.host}:${settings.port}`);
    say("APIServer", "Application startup complete.");
  });
}

function check({ model, chatTemplate, dump }: Settings): void {
  if (dump !== undefined) writeFileSync(dump, JSON.stringify({ argv: process.argv.slice(2), env: process.env, folder: process.cwd() }));
  for (const path of [model, chatTemplate]) {
    if (path === undefined || existsSync(path)) continue;
    process.stdout.write(`OSError: ${path} does not exist\n`);
    process.exit(1);
  }
}

try {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (process.env["FAKE_VLLM_PRINT_AND_EXIT"] !== undefined) {
    process.stdout.write(`${process.env["FAKE_VLLM_PRINT_AND_EXIT"]}\n`);
    process.exit(0);
  }
  check(settings);
  await serve(settings);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`usage: vllm serve [model_tag] [options]\nvllm: error: ${error.message}\n`);
  process.exit(2);
}
