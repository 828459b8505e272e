import type { Backend, BackendType } from "../backend.ts";
import type { Model } from "../model.ts";

/** Types of backend that serve one model on one port and are started by Holdfast. */
export type EngineType = Extract<BackendType, "vllm" | "lmdeploy" | "gguf">;

/** True for backends that serve one model on one port. */
export function isEngine(type: BackendType): type is EngineType {
  return type === "vllm" || type === "lmdeploy" || type === "gguf";
}

/** Host and port of a backend on this machine. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The address an engine has to listen on, or why a backend's URL cannot be one. */
export function endpointOf(backend: Pick<Backend, "url">): Endpoint | { readonly problem: string } {
  if (backend.url === undefined || !URL.canParse(backend.url)) return { problem: "its address is not known" };
  const url = new URL(backend.url);
  if (url.protocol !== "http:") return { problem: `${backend.url} is not plain HTTP, which is what the engine speaks` };
  if (url.pathname !== "/" && url.pathname !== "/v1") return { problem: `${backend.url} has a path, so something stands before the engine` };
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? 80 : Number(url.port) };
}

const ownArguments: Readonly<Record<EngineType, ReadonlySet<string>>> = {
  vllm: new Set(["--model", "--host", "--port", "--uds", "--served-model-name"]),
  lmdeploy: new Set(["--server-name", "--server-port", "--model-name"]),
  gguf: new Set(["--model", "-m", "--host", "--port", "--alias", "-a"]),
};

/** Why the declared arguments contradict what Holdfast sets itself, or undefined. */
export function ownArgument(type: EngineType, model: Model): string | undefined {
  const own = model.launch.args.find((argument) => ownArguments[type].has(argument.split("=")[0] ?? ""));
  return own === undefined ? undefined : `launch.args sets ${own.split("=")[0] ?? ""}, which Holdfast sets and checks itself`;
}

const programs: Readonly<Record<EngineType, readonly string[]>> = { vllm: ["vllm"], lmdeploy: ["lmdeploy"], gguf: ["llama-server"] };

/** The program that is started for a backend, and its first arguments. */
export function commandOf(type: EngineType, { launch }: Pick<Backend, "launch">): readonly string[] {
  return launch?.command ?? programs[type];
}

/** What the argument list is made of beside the backend. */
export interface LaunchParts {
  readonly endpoint: Endpoint;
  readonly servedId: string;
  readonly path: string;
  readonly model: Model;
}

/** The whole argument list. The model comes first: vLLM's `--served-model-name` swallows what follows it. Declared arguments come last, so that they win. */
export function argumentsOf(type: EngineType, backend: Pick<Backend, "launch">, { endpoint, servedId, path, model }: LaunchParts): readonly string[] {
  const command = commandOf(type, backend);
  const { host, port } = endpoint;
  const { args, chatTemplate } = model.launch;
  const template = (option: string): readonly string[] => (chatTemplate === undefined ? [] : [option, chatTemplate]);
  switch (type) {
    case "lmdeploy":
      return [
        ...command,
        "serve",
        "api_server",
        path,
        "--server-name",
        host,
        "--server-port",
        String(port),
        "--model-name",
        servedId,
        ...template("--chat-template"),
        ...args,
      ];
    case "gguf":
      return [...command, "-m", path, "--host", host, "--port", String(port), "--alias", servedId, ...template("--chat-template-file"), ...args];
    case "vllm": {
      const place = command.includes("vllm.entrypoints.openai.api_server") ? ["--model", path] : ["serve", path];
      return [...command, ...place, "--host", host, "--port", String(port), "--served-model-name", servedId, ...template("--chat-template"), ...args];
    }
  }
}
