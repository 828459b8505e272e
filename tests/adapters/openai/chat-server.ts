import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** How the server answers a chat request. */
export type ChatMode =
  | "stream"
  | "plain"
  | "no-usage"
  | "no-stream-options"
  | "refuse"
  | "hang"
  | "hang-midway"
  | "endless"
  | "html"
  | "error-midway"
  | "redirect";

/** One request as it came in. */
export interface ChatRequest {
  readonly authorization: string | undefined;
  readonly body: { readonly model?: string; readonly stream_options?: unknown; readonly messages?: readonly { readonly content: unknown }[] };
}

/** A small server that answers `/v1/chat/completions`, and lists the models that it has. */
export interface ChatServer {
  readonly url: string;
  mode: ChatMode;
  readonly requests: ChatRequest[];
  close(): Promise<void>;
}

const words = ["A ", "small ", "h\u00e9ron", ".", ""];

/** Starts one on a free loopback port. */
export async function startChatServer(...models: readonly string[]): Promise<ChatServer> {
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const fake: ChatServer = {
    url: `http://127.0.0.1:${address.port}`,
    mode: "stream",
    requests: [],
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/v1/models") return json(response, 200, { object: "list", data: models.map((id) => ({ id, object: "model" })) });
    if (request.url !== "/v1/chat/completions") return json(response, 404, { detail: "Not Found" });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body: ChatRequest["body"] = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    fake.requests.push({ authorization: request.headers.authorization, body });
    await respond(response, fake.mode, body);
  }
  return fake;
}

async function respond(response: ServerResponse, mode: ChatMode, body: ChatRequest["body"]): Promise<void> {
  switch (mode) {
    case "hang":
      return;
    case "refuse":
      return json(response, 503, { error: { message: "the engine is  dead" } });
    case "redirect":
      return void response.writeHead(307, { location: "http://127.0.0.1:9/v1/chat/completions" }).end();
    case "html":
      return void response.writeHead(200, { "content-type": "text/html" }).end("<html>sign in</html>");
    case "plain":
      return json(response, 200, { choices: [{ message: { content: words.join("") } }], usage: { prompt_tokens: 7, completion_tokens: 4 } });
    case "no-stream-options":
      return body.stream_options === undefined ? stream(response, mode) : json(response, 400, { message: "unknown field stream_options" });
    default:
      return stream(response, mode);
  }
}

async function stream(response: ServerResponse, mode: ChatMode): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  await part(response, `data: ${JSON.stringify({ choices: [{ delta: { role: "assistant" } }] })}\r\n\r\n: a comment\n\n`);
  for (const word of words) {
    const bytes = Buffer.from(`data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`);
    // In the middle of a line, and of the two bytes of a letter.
    const middle = Math.max(10, bytes.indexOf(0xc3) + 1);
    await part(response, bytes.subarray(0, middle));
    await part(response, bytes.subarray(middle));
    if (mode === "hang-midway") return;
    if (mode === "error-midway") return void response.end(`data: ${JSON.stringify({ error: { message: "out of memory" } })}\n\n`);
  }
  while (mode === "endless" && !response.destroyed) await part(response, `data: ${"x".repeat(64 * 1024)}`);
  if (mode !== "no-usage" && mode !== "no-stream-options")
    await part(response, `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 4 } })}\n\n`);
  response.end("data: [DONE]");
}

async function part(response: ServerResponse, bytes: string | Uint8Array): Promise<void> {
  response.write(bytes);
  do await new Promise((resolve) => void setTimeout(resolve, 2));
  while (response.writableNeedDrain && !response.destroyed);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
