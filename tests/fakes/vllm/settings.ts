/** How the stand-in is called and what it is told to do wrong. */
export interface Settings {
  readonly dialect: "vllm" | "lmdeploy" | "llamacpp";
  readonly model: string;
  readonly servedIds: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly chatTemplate?: string;
  /** Demanded of every request below `/v1`. */
  readonly apiKey?: string;
  readonly sleepMode: boolean;
  /** Time before the port is bound. */
  readonly importMs: number;
  /** Time between binding and listening. */
  readonly loadMs: number;
  /** Loads until this file exists, whatever the time: for tests that act while it loads. */
  readonly gate?: string;
  readonly stopMs: number;
  /** Time between the death of the engine process and the end of the server, which then exits with code 0. */
  readonly watchdogMs: number;
  readonly engine: "child" | "unmarked" | "none";
  readonly root: string;
  readonly crash?: { readonly text: string; readonly code: number };
  readonly ignoreTerm: "never" | "load" | "always";
  readonly hang: boolean;
  readonly smoke: "answers" | "embeddings-only" | "fails";
  readonly busyMs: number;
  /** File to which the instants of start, readiness, signal and end are appended, as one JSON object a line. */
  readonly times?: string;
  /** File that receives arguments, environment and folder as JSON. */
  readonly dump?: string;
}

/** A wrong command line: what argparse prints, and its exit code. */
export class UsageError extends Error {}

type Env = Readonly<Record<string, string | undefined>>;

/** Options that take values; anything else that looks like an option is refused like argparse does. */
const valued = new Set(
  "--host --port --served-model-name --chat-template --chat-template-file --model -m --alias --server-name --server-port --model-name --dtype --max-model-len --max-num-seqs --gpu-memory-utilization --tensor-parallel-size --hf-overrides --limit-mm-per-prompt --generation-config --api-key --session-len --tp".split(
    " ",
  ),
);
const flags = new Set("--enforce-eager --enable-sleep-mode --trust-remote-code --enable-auto-tool-choice --metrics".split(" "));

/** Reads the command line like `vllm serve`, `lmdeploy serve api_server` or `llama-server` would, and the switches from `FAKE_VLLM_*`. */
export function readSettings(argv: readonly string[], env: Env): Settings {
  const dialect = argv[0] === "serve" ? (argv[1] === "api_server" ? "lmdeploy" : "vllm") : argv.includes("-m") ? "llamacpp" : undefined;
  if (dialect === undefined) throw new UsageError("usage: vllm serve MODEL [options]");
  const { options, positional } = parse(argv.slice(dialect === "llamacpp" ? 0 : dialect === "lmdeploy" ? 2 : 1));
  const model = dialect === "llamacpp" ? options.get("-m")?.[0] : positional[0];
  if (model === undefined) throw new UsageError("the model must come first");
  const servedIds = options.get("--served-model-name") ?? options.get("--model-name") ?? options.get("--alias") ?? [model];
  const template = options.get("--chat-template") ?? options.get("--chat-template-file");
  return {
    dialect,
    model,
    servedIds: env["FAKE_VLLM_SERVED_ID"] === undefined ? servedIds : [env["FAKE_VLLM_SERVED_ID"]],
    host: (options.get("--host") ?? options.get("--server-name"))?.[0] ?? "127.0.0.1",
    port: Number((options.get("--port") ?? options.get("--server-port"))?.[0] ?? 8000),
    ...(template?.[0] === undefined ? {} : { chatTemplate: template[0] }),
    ...(env["VLLM_API_KEY"] === undefined ? {} : { apiKey: env["VLLM_API_KEY"] }),
    sleepMode: options.has("--enable-sleep-mode"),
    root: env["FAKE_VLLM_ROOT"] ?? model,
    ...switches(env),
  };
}

function parse(argv: readonly string[]): { readonly options: ReadonlyMap<string, readonly string[]>; readonly positional: readonly string[] } {
  const options = new Map<string, string[]>();
  const positional: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    const name = argument.split("=")[0] ?? "";
    if (flags.has(argument)) options.set(argument, []);
    else if (valued.has(name)) {
      if (name !== argument) options.set(name, [argument.slice(name.length + 1)]);
      else options.set(name, [argv[(index += 1)] ?? ""]);
      // nargs="+": whatever follows and is no option belongs to it.
      while (name === "--served-model-name" && argv[index + 1] !== undefined && argv[index + 1]?.startsWith("-") === false)
        options.get(name)?.push(argv[(index += 1)] ?? "");
    } else if (argument.startsWith("-")) throw new UsageError(`unrecognized arguments: ${argument}`);
    else positional.push(argument);
  }
  return { options, positional };
}

function switches(env: Env): Omit<Settings, "dialect" | "model" | "servedIds" | "host" | "port" | "chatTemplate" | "apiKey" | "sleepMode" | "root"> {
  const crash = env["FAKE_VLLM_CRASH"];
  return {
    importMs: Number(env["FAKE_VLLM_IMPORT_MS"] ?? 0),
    loadMs: Number(env["FAKE_VLLM_LOAD_MS"] ?? 0),
    ...(env["FAKE_VLLM_GATE"] === undefined ? {} : { gate: env["FAKE_VLLM_GATE"] }),
    stopMs: Number(env["FAKE_VLLM_STOP_MS"] ?? 0),
    watchdogMs: Number(env["FAKE_VLLM_WATCHDOG_MS"] ?? 100),
    engine: oneOf(env["FAKE_VLLM_ENGINE"], ["child", "unmarked", "none"]),
    ...(crash === undefined ? {} : { crash: { text: crash, code: Number(env["FAKE_VLLM_CRASH_CODE"] ?? 1) } }),
    ignoreTerm: oneOf(env["FAKE_VLLM_IGNORE_TERM"], ["never", "load", "always"]),
    hang: env["FAKE_VLLM_HANG"] === "1",
    smoke: oneOf(env["FAKE_VLLM_SMOKE"], ["answers", "embeddings-only", "fails"]),
    busyMs: Number(env["FAKE_VLLM_BUSY_MS"] ?? 0),
    ...(env["FAKE_VLLM_TIMES"] === undefined ? {} : { times: env["FAKE_VLLM_TIMES"] }),
    ...(env["FAKE_VLLM_DUMP"] === undefined ? {} : { dump: env["FAKE_VLLM_DUMP"] }),
  };
}

function oneOf<Value extends string>(text: string | undefined, values: readonly [Value, ...Value[]]): Value {
  return values.find((value) => value === text) ?? values[0];
}
