import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hex, manifestParts, type OllamaSample } from "./ollama-samples.ts";

/** How the registry misbehaves. */
export interface RegistryFaults {
  /** Digests that it no longer has. */
  missingBlobs: Set<string>;
  /** Digests that it sends with the right size and other bytes. */
  wrongBytes: Set<string>;
  /** Digests whose transfer stops in the middle. */
  hanging: Set<string>;
  /** Answers every manifest request with this status. */
  manifestStatus: number | undefined;
  retryAfter: string | undefined;
  /** Asks for a token first; `realm` names another host when given. */
  auth: { realm?: string } | undefined;
  /** Serves blobs itself instead of pointing elsewhere, as many private registries do. */
  noRedirect: boolean;
  /** Moves every tag to this manifest after the next manifest was sent. */
  movesTo: string | undefined;
  /** Sends a login page instead of manifests. */
  html: boolean;
}

/** A registry on loopback that speaks the protocol of Ollama's: manifests by tag and digest, blobs by 307 to another hostname. */
export interface FakeRegistry {
  /** `127.0.0.1:<port>`: the host part of model names. */
  readonly host: string;
  readonly faults: RegistryFaults;
  /** Every request as `METHOD path`. */
  readonly requests: string[];
  publish(sample: OllamaSample): void;
  /** The tag is gone; its manifest stays under its digest, as its blobs do. */
  retract(name: string): void;
  /** Digests whose bytes were sent since the last call, sorted. */
  sent(): readonly string[];
  /** Resolves as soon as a transfer hangs. */
  hangs(): Promise<void>;
  /** Resolves as soon as no transfer is open. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

interface Shelf {
  readonly manifests: Map<string, string>;
  readonly blobs: Map<string, Buffer>;
  readonly sent: Set<string>;
  readonly open: Set<ServerResponse>;
  hung: number;
}

export async function startFakeRegistry(): Promise<FakeRegistry> {
  const shelf: Shelf = { manifests: new Map(), blobs: new Map(), sent: new Set(), open: new Set(), hung: 0 };
  const faults: RegistryFaults = {
    missingBlobs: new Set(),
    wrongBytes: new Set(),
    hanging: new Set(),
    manifestStatus: undefined,
    retryAfter: undefined,
    auth: undefined,
    noRedirect: false,
    movesTo: undefined,
    html: false,
  };
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response, shelf, faults);
  });
  const host = `127.0.0.1:${await listen(server)}`;
  return {
    host,
    faults,
    requests,
    publish(sample) {
      const [, namespace, model, tag] = manifestParts(host, sample.name);
      shelf.manifests.set(`${namespace}/${model}/${tag}`, sample.manifest);
      shelf.manifests.set(`${namespace}/${model}/sha256:${hex(sample.manifest)}`, sample.manifest);
      for (const [digest, bytes] of sample.blobs) shelf.blobs.set(digest, bytes);
    },
    retract(name) {
      const [, namespace, model, tag] = manifestParts(host, name);
      shelf.manifests.delete(`${namespace}/${model}/${tag}`);
    },
    sent() {
      const digests = [...shelf.sent].toSorted();
      shelf.sent.clear();
      return digests;
    },
    async hangs() {
      while (shelf.hung === 0) await pause();
    },
    async idle() {
      while (shelf.open.size > 0) await pause();
      shelf.hung = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, shelf: Shelf, faults: RegistryFaults): void {
  const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
  if (url.pathname === "/token") return sendJson(response, 200, { token: "pass" });
  const [, version, namespace, model, what, key = ""] = url.pathname.split("/");
  if (version === "data") return sendData(request, response, namespace ?? "", shelf, faults);
  if (version !== "v2") return sendJson(response, 404, { errors: [{ code: "NOT_FOUND" }] });
  if (faults.auth && request.headers.authorization !== "Bearer pass") return challenge(request, response, faults.auth);
  if (what === "manifests") {
    const tag = `${namespace}/${model}/${key}`;
    sendManifest(response, shelf.manifests.get(tag), faults);
    if (faults.movesTo !== undefined) shelf.manifests.set(tag, faults.movesTo);
    return;
  }
  return sendBlob(request, response, key.replace("sha256:", ""), shelf, faults);
}

function challenge(request: IncomingMessage, response: ServerResponse, auth: { realm?: string }): void {
  const realm = auth.realm ?? `http://${request.headers.host}/token`;
  response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="fake",scope="repository:x:pull"` }).end();
}

function sendManifest(response: ServerResponse, manifest: string | undefined, faults: RegistryFaults): void {
  if (faults.html) return void response.writeHead(200, { "content-type": "text/html" }).end("<html>please log in</html>");
  if (faults.manifestStatus !== undefined) {
    const headers = faults.retryAfter === undefined ? {} : { "retry-after": faults.retryAfter };
    return void response.writeHead(faults.manifestStatus, headers).end("no");
  }
  if (manifest === undefined) return sendJson(response, 404, { errors: [{ code: "MANIFEST_UNKNOWN" }] });
  response.writeHead(200, { "content-type": "application/vnd.docker.distribution.manifest.v2+json" }).end(manifest);
}

function sendBlob(request: IncomingMessage, response: ServerResponse, digest: string, shelf: Shelf, faults: RegistryFaults): void {
  const bytes = shelf.blobs.get(digest);
  if (bytes === undefined || faults.missingBlobs.has(digest)) return sendJson(response, 404, { errors: [{ code: "BLOB_UNKNOWN" }] });
  if (request.method === "HEAD") return void response.writeHead(200, { "content-length": bytes.length }).end();
  if (faults.noRedirect) return void response.writeHead(200).end(bytes);
  const port = request.socket.localPort;
  response.writeHead(307, { location: `http://localhost:${port}/data/${digest}` }).end();
}

function sendData(request: IncomingMessage, response: ServerResponse, digest: string, shelf: Shelf, faults: RegistryFaults): void {
  const bytes = shelf.blobs.get(digest);
  if (bytes === undefined || faults.missingBlobs.has(digest)) return void response.writeHead(404).end();
  shelf.sent.add(digest);
  shelf.open.add(response);
  response.on("close", () => shelf.open.delete(response));
  const [from, to] = rangeOf(request.headers.range, bytes.length);
  const part = Buffer.from(bytes.subarray(from, to + 1));
  if (faults.wrongBytes.has(digest)) part.fill("wrong ");
  const partial = request.headers.range !== undefined;
  response.writeHead(partial ? 206 : 200, {
    "content-length": part.length,
    ...(partial ? { "content-range": `bytes ${from}-${to}/${bytes.length}` } : {}),
  });
  if (!faults.hanging.has(digest)) return void response.end(part);
  response.write(part.subarray(0, part.length / 2));
  shelf.hung += 1;
}

function rangeOf(range: string | undefined, length: number): readonly [number, number] {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  return match ? [Number(match[1]), match[2] ? Number(match[2]) : length - 1] : [0, length - 1];
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
