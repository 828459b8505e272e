import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";

/** How the server behaves; may be changed while it runs. */
export type ServingMode =
  | "ready"
  | "loading"
  | "unhealthy"
  | "hang"
  | "hang-midway"
  | "wrong-json"
  | "html"
  | "endless"
  | "redirect"
  | "error"
  | "needs-key";

export interface ServingServerOptions {
  readonly id?: string;
  /** The model argument as the server was given it; LMDeploy repeats the id. */
  readonly root?: string;
  readonly maxModelLen?: number;
  readonly version?: string;
  readonly dialect?: "vllm" | "lmdeploy" | "remote";
  readonly mode?: ServingMode;
}

/** A small server that answers like vLLM, LMDeploy or a remote service. */
export interface ServingServer {
  readonly url: string;
  mode: ServingMode;
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[];
  close(): Promise<void>;
}

/** Starts one on a free loopback port. */
export async function startServingServer(options: ServingServerOptions = {}): Promise<ServingServer> {
  const server = createServer((request, response) => {
    fake.requests.push({ path: request.url ?? "", authorization: request.headers.authorization });
    answer(request, response, fake.mode, options);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const fake: ServingServer = {
    url: `http://127.0.0.1:${address.port}`,
    mode: options.mode ?? "ready",
    requests: [],
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return fake;
}

type Respond = (response: ServerResponse) => void;

const special: Readonly<Partial<Record<ServingMode, Respond>>> = {
  hang: () => undefined,
  "hang-midway": (response) => void response.writeHead(200, { "content-type": "application/json" }).write('{"data":['),
  "wrong-json": (response) => json(response, 200, { models: "none" }),
  html: (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>sign in</html>"),
  redirect: (response) => void response.writeHead(302, { location: "http://127.0.0.1:9/elsewhere" }).end(),
  error: (response) => json(response, 500, { error: "boom" }),
  endless: (response) => {
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(64 * 1024)));
    };
    response.writeHead(200, { "content-type": "application/json" }).on("drain", more);
    more();
  },
};

function answer(request: IncomingMessage, response: ServerResponse, mode: ServingMode, options: ServingServerOptions): void {
  const respond = special[mode];
  if (respond !== undefined) return respond(response);
  const path = request.url ?? "";
  const { dialect = "vllm" } = options;
  if (path === "/health" && dialect !== "remote") return health(response, mode, dialect);
  if (path === "/version" && dialect === "vllm") return json(response, 200, { version: options.version ?? "0.27.1" });
  if (path !== "/v1/models") return json(response, 404, { detail: "Not Found" });
  if (mode === "loading") return json(response, 503, { error: { message: "Loading model", type: "unavailable_error", code: 503 } });
  if (mode === "needs-key" && request.headers.authorization !== "Bearer sesame") return json(response, 401, { error: "Unauthorized" });
  json(response, 200, { object: "list", data: [modelEntry(options, dialect)] });
}

function health(response: ServerResponse, mode: ServingMode, dialect: "vllm" | "lmdeploy"): void {
  const healthy = mode !== "loading" && mode !== "unhealthy";
  if (dialect === "vllm") return void response.writeHead(healthy ? 200 : 503).end();
  json(response, healthy ? 200 : 503, { status: healthy ? "healthy" : "initializing", message: "" });
}

function modelEntry({ id = "tiny", root = "/models/tiny", maxModelLen = 2048 }: ServingServerOptions, dialect: string): unknown {
  const entry = { id, object: "model", created: Math.floor(Date.now() / 1000), parent: null, permission: [] };
  if (dialect === "vllm") return { ...entry, owned_by: "vllm", root, max_model_len: maxModelLen };
  return dialect === "lmdeploy" ? { ...entry, owned_by: "lmdeploy", root: id } : entry;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
