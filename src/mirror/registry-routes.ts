import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isSha256 } from "../domain/digest.ts";
import { hostNameOf } from "./host-guard.ts";
import type { OllamaFolder, StoredManifest } from "./ollama-folder.ts";
import { parseRequestTarget } from "./request-target.ts";
import { sendFile } from "./send-file.ts";

/** Where Ollama may be sent for the bytes of a blob. */
export interface BlobRedirect {
  /** Address the server listens on. */
  readonly bound: string;
  /** Another name of this server, when the operator knows one. */
  readonly blobHost?: string;
}

/** The part of the registry's protocol that `ollama pull` takes. */
export function addRegistryRoutes(app: FastifyInstance, models: OllamaFolder, redirect: BlobRedirect): void {
  const version = (_: FastifyRequest, reply: FastifyReply): FastifyReply => reply.header("docker-distribution-api-version", "registry/2.0").send({});
  app.route({ method: ["GET", "HEAD"], url: "/v2", handler: version });
  app.route({ method: ["GET", "HEAD"], url: "/v2/", handler: version });
  app.route({ method: ["GET", "HEAD"], url: "/v2/*", handler: (request, reply) => answer(request, reply, models, redirect) });
}

async function answer(request: FastifyRequest, reply: FastifyReply, models: OllamaFolder, redirect: BlobRedirect): Promise<unknown> {
  const target = parseRequestTarget(request.raw.url ?? "");
  const [, namespace = "", model = "", kind, reference = "", ...rest] = target?.parts ?? [];
  if (target === undefined || rest.length > 0) return missing(reply, "NAME_UNKNOWN");
  if (kind === "manifests") {
    const manifest = await models.manifest(namespace, model, reference);
    return manifest === undefined ? missing(reply, "MANIFEST_UNKNOWN") : sendManifest(reply, manifest);
  }
  const digest = /^sha256:(.*)$/.exec(reference)?.[1] ?? "";
  if (kind !== "blobs" || !isSha256(digest)) return missing(reply, "BLOB_UNKNOWN");
  return sendBlob({ request, reply, digest, direct: target.query.has("direct") }, models, redirect);
}

function sendManifest(reply: FastifyReply, { bytes, digest, mediaType }: StoredManifest): FastifyReply {
  return reply
    .header("docker-content-digest", `sha256:${digest}`)
    .header("ollama-content-digest", digest)
    .header("etag", `"sha256:${digest}"`)
    .header("content-length", bytes.length)
    .type(mediaType)
    .send(bytes);
}

interface BlobQuestion {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly digest: string;
  readonly direct: boolean;
}

async function sendBlob({ request, reply, digest, direct }: BlobQuestion, models: OllamaFolder, redirect: BlobRedirect): Promise<unknown> {
  const file = await models.blob(digest);
  if (file === undefined) return missing(reply, "BLOB_UNKNOWN");
  const askedForAddress = request.method === "GET" && !direct && request.headers.range === undefined;
  const location = askedForAddress ? directAddress(request, redirect) : undefined;
  if (location?.elsewhere === true) return reply.code(307).header("location", location.url).send();
  const headers = { "docker-content-digest": `sha256:${digest}`, ...(location === undefined ? {} : { location: location.url }) };
  const sent = await sendFile(request, reply, { file, etag: `sha256:${digest}`, headers });
  return sent ? reply : missing(reply, "BLOB_UNKNOWN");
}

/**
 * Ollama takes a blob only from an address that it was sent to: by a 307 to another host name or, where this server has only one, by a `Location` in
 * an answer of 200. On loopback the two names are `localhost` and the address.
 */
function directAddress(request: FastifyRequest, { bound, blobHost }: BlobRedirect): { readonly url: string; readonly elsewhere: boolean } {
  const here = new URL(request.raw.url ?? "", `http://${request.headers.host}`);
  here.searchParams.set("direct", "1");
  const name = hostNameOf(request.headers.host);
  const other = blobHost ?? otherLoopbackName(name, bound);
  if (other === undefined || other === name) return { url: here.href, elsewhere: false };
  here.hostname = other.includes(":") ? `[${other}]` : other;
  return { url: here.href, elsewhere: true };
}

function otherLoopbackName(name: string | undefined, bound: string): string | undefined {
  // Any other address of 127.0.0.0/8 is not what `localhost` means.
  if (!["127.0.0.1", "::1", "0.0.0.0", "::"].includes(bound)) return undefined;
  if (name === "127.0.0.1" || name === "::1") return "localhost";
  return name === "localhost" ? (bound === "::1" ? "::1" : "127.0.0.1") : undefined;
}

function missing(reply: FastifyReply, code: "NAME_UNKNOWN" | "MANIFEST_UNKNOWN" | "BLOB_UNKNOWN"): FastifyReply {
  return reply.code(404).send({ errors: [{ code, message: "not in this mirror" }] });
}
