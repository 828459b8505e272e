import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { hex } from "./ollama-samples.ts";
import { expiryOf, ServerMemory } from "./ollama-server-memory.ts";
import { pullModel, type PullFaults } from "./ollama-server-pull.ts";
import { ServerStore, layersOf, type StoredModel } from "./ollama-server-store.ts";

/** How the server misbehaves. */
export interface ServerFaults extends PullFaults {
  /** Milliseconds before every answer. */
  slow: number;
  /** Answers `/api/tags` this many times with 500. */
  failingTags: number;
  /** Lists nothing, as right after some restarts. */
  emptyList: boolean;
  /** Ends the connection in the middle of every JSON answer. */
  halfBody: boolean;
  /** Refuses everything, as for a foreign Host header. */
  forbidden: boolean;
  /** A page of a proxy instead of JSON. */
  html: boolean;
  /** Never drops a model from memory. */
  keepsLoaded: boolean;
  /** Refuses this many loads because its queue is full. */
  busyLoads: number;
  /** Has no room for any model. */
  failingLoad: boolean;
  /** Says that it loaded a model and drops it at once. */
  forgetsLoads: boolean;
  /** Answers `/api/show` with 500. */
  failingShow: boolean;
  /** Cuts this many connections instead of answering, as pooled ones are after a restart. */
  cuts: number;
  version: string;
}

/** An Ollama server on loopback over a real models directory. */
export interface FakeOllama {
  readonly url: string;
  readonly directory: string;
  readonly faults: ServerFaults;
  /** Every request as `METHOD path`. */
  readonly requests: string[];
  /** Puts a model into memory, by the name it is listed under. */
  load(name: string, keepAlive?: string | number): Promise<void>;
  /** Names in memory. */
  loaded(): readonly string[];
  /** Pulls under way. */
  pulls(): number;
  /** Resolves as soon as a pull is under way. */
  pulling(): Promise<void>;
  /** Dies with all connections; `close` may still be called. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

interface Machine {
  readonly store: ServerStore;
  readonly faults: ServerFaults;
  readonly memory: ServerMemory;
  pulls: number;
}

const noFaults = (): ServerFaults => ({
  stall: false,
  swing: false,
  stallTimes: 0,
  errorLine: undefined,
  errorLines: [],
  endsEarly: false,
  wrongDigest: false,
  losesBlob: undefined,
  slow: 0,
  failingTags: 0,
  emptyList: false,
  halfBody: false,
  forbidden: false,
  html: false,
  keepsLoaded: false,
  busyLoads: 0,
  failingLoad: false,
  forgetsLoads: false,
  failingShow: false,
  cuts: 0,
  version: "0.33.0-fake",
});

export async function startFakeOllama(directory: string): Promise<FakeOllama> {
  await mkdir(join(directory, "blobs"), { recursive: true });
  await mkdir(join(directory, "manifests"), { recursive: true });
  const machine: Machine = { store: new ServerStore(directory), faults: noFaults(), memory: new ServerMemory(), pulls: 0 };
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    void answer(request, response, machine).catch((error: unknown) =>
      send(response, machine, 500, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    directory,
    faults: machine.faults,
    requests,
    async load(name, keepAlive = -1) {
      const model = await machine.store.find(name);
      if (!model) throw new Error(`no model ${name}`);
      machine.memory.load(model, expiryOf(keepAlive) ?? new Date());
    },
    loaded: () =>
      machine.memory
        .list()
        .map((entry) => entry.name)
        .toSorted(),
    pulls: () => machine.pulls,
    async pulling() {
      while (machine.pulls === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    crash: stop,
    close: stop,
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, machine: Machine): Promise<void> {
  const { faults } = machine;
  const text = await bodyOf(request);
  if (faults.slow > 0) await new Promise((resolve) => setTimeout(resolve, faults.slow));
  if (faults.cuts-- > 0) return void request.socket.destroy();
  if (faults.forbidden) return void response.writeHead(403).end();
  if (faults.html) return void response.writeHead(200, { "content-type": "text/html" }).end("<html>hello</html>");
  const route = `${request.method} ${request.url}`;
  if (request.url?.startsWith("/api/blobs/")) return blobRoute(request, response, machine, text);
  const body = text === "" ? {} : JSON.parse(text);
  const name = String(body.model ?? body.name ?? "");
  switch (route) {
    case "GET /api/version":
      return send(response, machine, 200, { version: faults.version });
    case "GET /api/tags":
      return tags(response, machine);
    case "GET /api/ps":
      return send(response, machine, 200, {
        models: machine.memory.list().map(({ name: model, digest, expiresAt }) => ({
          name: model,
          model,
          digest,
          size: 2048,
          size_vram: 1024,
          expires_at: expiresAt.toISOString(),
          context_length: 4096,
        })),
      });
    case "POST /api/show":
      return show(response, machine, name);
    case "POST /api/generate":
    case "POST /api/embed":
      return run(response, machine, { name, keepAlive: body.keep_alive, embeds: request.url === "/api/embed" });
    case "POST /api/copy":
      return copy(response, machine, body.source, body.destination);
    case "DELETE /api/delete":
      return remove(response, machine, name);
    case "POST /api/pull":
      return pull(response, machine, name, body.insecure === true);
    default:
      return void response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
  }
}

async function tags(response: ServerResponse, machine: Machine): Promise<void> {
  const { faults, store } = machine;
  if (faults.failingTags-- > 0) return send(response, machine, 500, { error: "stat: no such file or directory" });
  const models = faults.emptyList ? [] : await store.list();
  const listed = await Promise.all(models.map((model) => listedModel(store, model)));
  return send(response, machine, 200, { models: listed.filter((entry) => entry !== undefined) });
}

/** Entries whose config or template cannot be read are silently left out, as the real server does. */
async function listedModel(store: ServerStore, model: StoredModel): Promise<unknown> {
  const template = model.layers.find((layer) => layer.mediaType.endsWith(".template"));
  if (template && (await store.sizeOf(template.digest)) === undefined) return undefined;
  const config = await configOf(store, model);
  if (config === undefined) return undefined;
  const details = {
    parent_model: "",
    format: config["model_format"] ?? "",
    family: config["model_family"] ?? "",
    families: null,
    parameter_size: config["model_type"] ?? "",
    quantization_level: config["file_type"] ?? "",
  };
  const size = layersOf(model).reduce((sum, layer) => sum + layer.size, 0);
  const remote = config["remote_host"] === undefined ? {} : { remote_host: config["remote_host"], remote_model: config["remote_model"] };
  return { name: model.name, model: model.name, modified_at: model.modifiedAt.toISOString(), size, digest: model.digest, details, ...remote };
}

async function configOf(store: ServerStore, model: StoredModel): Promise<Record<string, unknown> | undefined> {
  if (!model.config) return {};
  return readFile(store.blob(model.config.digest), "utf8").then(
    (text) => JSON.parse(text),
    () => undefined,
  );
}

async function show(response: ServerResponse, machine: Machine, name: string): Promise<void> {
  const model = await machine.store.find(name);
  if (machine.faults.failingShow) return send(response, machine, 500, { error: "tensor exceeds file size" });
  const weights = model?.layers.find((layer) => layer.mediaType.endsWith(".model"));
  const size = weights && (await machine.store.sizeOf(weights.digest));
  if (!model || !weights || size === undefined) return send(response, machine, 404, { error: `model '${name}' not found` });
  const config = (await configOf(machine.store, model)) ?? {};
  const family = String(config["model_family"]);
  return send(response, machine, 200, {
    license: "MIT License\n\nPermission is hereby granted",
    modelfile: `# Modelfile\nFROM ${machine.store.blob(weights.digest)}\nTEMPLATE {{ .Prompt }}\n`,
    template: "{{ .Prompt }}",
    details: { format: config["model_format"], family, parameter_size: config["model_type"], quantization_level: config["file_type"] },
    model_info: {
      "general.architecture": family,
      "general.parameter_count": 512,
      [`${family}.context_length`]: 8192,
      [`${family}.embedding_length`]: 64,
      "tokenizer.ggml.tokens": null,
    },
    capabilities: family === "bert" ? ["embedding"] : ["completion", "tools"],
    modified_at: model.modifiedAt.toISOString(),
  });
}

interface RunCall {
  readonly name: string;
  readonly keepAlive: unknown;
  readonly embeds: boolean;
}

/** An empty prompt loads, no time at all unloads; the server says so before it is done. */
async function run(response: ServerResponse, machine: Machine, { name, keepAlive, embeds }: RunCall): Promise<void> {
  const { faults, memory, store } = machine;
  const model = await store.find(name);
  if (!model) return send(response, machine, 404, { error: `model '${name}' not found` });
  const config = await configOf(store, model);
  if (config === undefined) return send(response, machine, 500, { error: "open config: no such file or directory" });
  if (keepAlive === 0) {
    if (!faults.keepsLoaded) setTimeout(() => memory.drop(model), 20);
    return send(response, machine, 200, { model: name, response: "", done: true, done_reason: "unload" });
  }
  const onlyEmbeds = config["model_family"] === "bert";
  const expiry = expiryOf(keepAlive);
  if (expiry === undefined) return send(response, machine, 400, { error: `time: missing unit in duration "${String(keepAlive)}"` });
  if (onlyEmbeds && !embeds) return send(response, machine, 400, { error: `"${name}" does not support generate` });
  if (faults.busyLoads-- > 0) return send(response, machine, 503, { error: "server busy, please try again.  maximum pending requests exceeded" });
  if (faults.failingLoad) return send(response, machine, 500, { error: "model requires more system memory than is available" });
  if (!faults.forgetsLoads) memory.load(model, expiry);
  return send(response, machine, 200, embeds ? { model: name, embeddings: [] } : { model: name, response: "", done: true, done_reason: "load" });
}

async function copy(response: ServerResponse, machine: Machine, source: string, destination: string): Promise<void> {
  const model = await machine.store.find(source);
  if (!model) return send(response, machine, 404, { error: `model "${source}" not found` });
  await machine.store.copy(model, destination);
  response.writeHead(200).end();
}

async function remove(response: ServerResponse, machine: Machine, name: string): Promise<void> {
  const model = await machine.store.find(name);
  if (!model) return send(response, machine, 404, { error: `model '${name}' not found` });
  await machine.store.remove(model);
  response.writeHead(200).end();
}

async function pull(response: ServerResponse, machine: Machine, model: string, insecure: boolean): Promise<void> {
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const say = (line: Readonly<Record<string, unknown>>): void => void response.write(`${JSON.stringify(line)}\n`);
  machine.pulls += 1;
  try {
    await pullModel({ store: machine.store, model, insecure, faults: machine.faults, say, signal: abort.signal });
  } catch (error) {
    if (machine.faults.endsEarly) return void response.destroy();
    say({ error: error instanceof Error ? error.message : String(error) });
  } finally {
    machine.pulls -= 1;
  }
  response.end();
}

async function blobRoute(request: IncomingMessage, response: ServerResponse, machine: Machine, body: string): Promise<void> {
  const digest = decodeURIComponent((request.url ?? "").slice("/api/blobs/".length));
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return void response.writeHead(400).end();
  const path = machine.store.blob(digest);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (request.method === "HEAD") return void response.writeHead(exists ? 200 : 404).end();
  if (exists) return void response.writeHead(200).end();
  if (`sha256:${hex(body)}` !== digest) return send(response, machine, 400, { error: "digest mismatch" });
  await writeFile(path, body);
  response.writeHead(201).end();
}

function send(response: ServerResponse, machine: Machine, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(text) });
  if (!machine.faults.halfBody) return void response.end(text);
  response.write(text.slice(0, text.length / 2));
  response.destroy();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
