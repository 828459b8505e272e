import { failed } from "../../domain/failure.ts";
import type { OllamaName } from "../../domain/ollama-name.ts";
import { isLoopback } from "./base-url.ts";
import { blobsOf, type ManifestDocument } from "./manifest-text.ts";
import type { WriterSide } from "./writer-side.ts";

/** A registry for one manifest, as long as one pull takes. */
export interface PinServer {
  /** Host part of model names, with port. */
  readonly host: string;
  close(): Promise<void>;
}

interface PinnedManifest {
  readonly text: string;
  /** Size and upstream address of every blob, by digest with prefix. */
  readonly blobs: ReadonlyMap<string, { readonly size: number; readonly url: string }>;
}

/**
 * Ollama cannot pull by digest. It can pull any tag from a registry that hands out exactly the locked manifest and sends on to the real registry for
 * blobs (reference/ollama.md 3.7), so that no payload passes here.
 */
export async function startPinServer(side: WriterSide, name: OllamaName, manifest: ManifestDocument & { readonly text: string }): Promise<PinServer> {
  const layers = manifest.content.kind === "image" ? blobsOf(manifest.content) : [];
  const blobs = new Map(layers.map((layer) => [`sha256:${layer.sha256}`, { size: layer.size, url: side.registry.blobUrl(name, layer.sha256) }]));
  const { listen, advertise } = addressFor(side, name);
  const { createServer } = await import("node:http");
  const server = createServer((request, response) => {
    const { status, headers, body } = answerTo(request.method ?? "", request.url ?? "", { text: manifest.text, blobs });
    response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, listen, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  }).catch((error: unknown) => {
    throw failed("permission", `could not listen on ${listen} to hand out the locked manifest`, {
      remedy: "give an address of this machine for pinned pulls",
      cause: error,
    });
  });
  return {
    host: `${advertise}:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Ollama takes a redirect for the address of a blob only if it leads to another host name than the one it asked. */
function addressFor(side: WriterSide, name: OllamaName): { readonly listen: string; readonly advertise: string } {
  const upstream = name.host.replace(/:\d+$/, "");
  const { pinListen, api } = side;
  if (pinListen === undefined) {
    if (isLoopback(api.server.hostname)) return { listen: "127.0.0.1", advertise: upstream === "127.0.0.1" ? "localhost" : "127.0.0.1" };
    throw failed(
      "unsupported",
      `the locked manifest of ${name.model}:${name.tag} cannot be handed to ${api.server.text}: that server is not on this machine`,
      {
        remedy: "run Holdfast on that machine, or give an address of this machine that the server reaches for pinned pulls",
      },
    );
  }
  const advertise = pinListen.advertise ?? pinListen.host;
  if (advertise !== upstream) return { listen: pinListen.host, advertise };
  throw failed("unsupported", `pinned pulls cannot be offered under ${advertise}, the host name of the registry itself`, {
    remedy: "give another name of this machine for pinned pulls",
  });
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string;
}

function answerTo(method: string, url: string, { text, blobs }: PinnedManifest): Reply {
  const [, version, , , kind, key = ""] = url.split("/");
  if (version !== "v2" || (method !== "GET" && method !== "HEAD")) return { status: 404, headers: {} };
  if (kind === "manifests") {
    return {
      status: 200,
      headers: { "content-type": "application/vnd.docker.distribution.manifest.v2+json", "content-length": Buffer.byteLength(text) },
      body: text,
    };
  }
  const blob = kind === "blobs" ? blobs.get(key) : undefined;
  if (blob === undefined) return { status: 404, headers: {} };
  return method === "HEAD"
    ? { status: 200, headers: { "content-length": blob.size } }
    : { status: 307, headers: { location: blob.url, "content-length": 0 } };
}
