import type { IncomingMessage, ServerResponse } from "node:http";
import type { Settings } from "./settings.ts";

/** What the stand-in knows of itself while it answers. */
export interface EngineState {
  engineDead: boolean;
  asleep: boolean;
  readySince: number;
}

type Answer = readonly [status: number, body: unknown];

/** Answers one request the way vLLM (or LMDeploy, or llama.cpp) does. */
export function answer(request: IncomingMessage, response: ServerResponse, settings: Settings, state: EngineState): void {
  if (settings.hang) return;
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname.startsWith("/v1") && settings.apiKey !== undefined && request.headers.authorization !== `Bearer ${settings.apiKey}`) {
    response.statusCode = 401;
    response.end(JSON.stringify({ error: "Unauthorized" }));
    return;
  }
  if (url.pathname === "/metrics") {
    response.setHeader("content-type", "text/plain");
    response.end(metrics(settings, state));
    return;
  }
  const [status, body] = route(`${request.method ?? "GET"} ${url.pathname}`, url, settings, state);
  response.statusCode = status;
  if (body === undefined) response.end();
  else {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  }
}

function route(asked: string, url: URL, settings: Settings, state: EngineState): Answer {
  switch (asked) {
    case "GET /health":
      return health(settings, state);
    case "GET /version":
      return settings.dialect === "vllm" ? [200, { version: "0.0.0+stand-in" }] : [404, { detail: "Not Found" }];
    case "GET /v1/models":
      return [200, { object: "list", data: settings.servedIds.map((id) => modelCard(id, settings)) }];
    case "POST /v1/completions":
    case "POST /v1/chat/completions":
      return completion(settings, state);
    case "POST /v1/embeddings":
      return settings.smoke === "embeddings-only"
        ? [200, { object: "list", data: [{ index: 0, embedding: [0.5] }] }]
        : [404, { error: { message: "The model does not support Embeddings API" } }];
    case "GET /is_sleeping":
      return settings.sleepMode ? [200, { is_sleeping: state.asleep }] : [404, { detail: "Not Found" }];
    case "POST /sleep":
    case "POST /wake_up":
      if (!settings.sleepMode) return [404, { detail: "Not Found" }];
      state.asleep = asked === "POST /sleep" && url.searchParams.get("level") !== "0";
      return [200, undefined];
    default:
      return [404, { detail: "Not Found" }];
  }
}

function health({ dialect }: Settings, { engineDead }: EngineState): Answer {
  if (dialect === "vllm") return [engineDead ? 503 : 200, undefined];
  if (dialect === "lmdeploy")
    return engineDead ? [503, { status: "unhealthy", message: "engine is dead" }] : [200, { status: "healthy", message: "" }];
  return engineDead ? [503, { error: { message: "Loading model" } }] : [200, { status: "ok" }];
}

function modelCard(id: string, { dialect, root }: Settings): object {
  const created = Math.floor(Date.now() / 1000);
  if (dialect === "llamacpp") return { id, object: "model", created, owned_by: "llamacpp", meta: { n_ctx_train: 512 } };
  if (dialect === "lmdeploy") return { id, object: "model", created, owned_by: "lmdeploy", root: id, parent: null, permission: [] };
  return {
    id,
    object: "model",
    created,
    owned_by: "vllm",
    root,
    parent: null,
    max_model_len: 256,
    permission: [{ id: `modelperm-${Math.random().toString(16).slice(2)}` }],
  };
}

function completion({ smoke, servedIds }: Settings, { engineDead }: EngineState): Answer {
  if (smoke === "fails" || engineDead) return [500, { error: { message: "EngineDeadError: EngineCore encountered an issue" } }];
  if (smoke === "embeddings-only") return [404, { error: { message: "The model does not support Completions API" } }];
  return [
    200,
    {
      id: "cmpl-1",
      object: "text_completion",
      model: servedIds[0],
      choices: [{ index: 0, text: "!", message: { role: "assistant", content: "!" }, finish_reason: "length" }],
    },
  ];
}

function metrics({ dialect, busyMs, servedIds }: Settings, { readySince }: EngineState): string {
  const running = Date.now() - readySince < busyMs ? 1 : 0;
  const label = `{engine="0",model_name="${servedIds[0] ?? ""}"}`;
  if (dialect === "llamacpp") return `llamacpp:requests_processing ${running}\nllamacpp:requests_deferred 0\n`;
  const name = dialect === "vllm" ? "vllm" : "lmdeploy";
  return `# TYPE ${name}:num_requests_running gauge\n${name}:num_requests_running${label} ${running}.0\n${name}:num_requests_waiting${label} 0.0\n`;
}
