import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { HoldfastError } from "../domain/failure.ts";
import type { Catalog } from "./catalog.ts";
import { hostNameOf, isOurHost, type HostRules } from "./host-guard.ts";
import { addHubRoutes } from "./hub-routes.ts";
import { landing } from "./landing.ts";
import type { OllamaFolder } from "./ollama-folder.ts";
import { addRegistryRoutes } from "./registry-routes.ts";

/** Everything a mirror answers from. */
export interface MirrorAppOptions {
  readonly catalog: Catalog;
  readonly ollama: OllamaFolder;
  readonly allowedHosts: readonly string[];
  readonly ollamaBlobHost?: string;
  /** Address the server listens on, once it does. */
  bound(): string;
  log(line: string): void;
}

const limits = { bodyBytes: 1024 * 1024, requestMs: 30_000, idleMs: 120_000 } as const;

/** Builds the server without starting it. */
export function createMirrorApp(options: MirrorAppOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  });
  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_, body, done) =>
    done(null, new URLSearchParams(String(body))),
  );
  app.addHook("onRequest", async (request, reply) => {
    const rules: HostRules = { bound: options.bound(), allowed: options.allowedHosts };
    const name = hostNameOf(request.headers.host);
    if (name === undefined || !isOurHost(name, rules)) return reply.code(403).send({ error: "this server does not answer to that host name" });
    return undefined;
  });
  app.addHook("onResponse", async (request, reply) => options.log(`${request.method} ${request.raw.url ?? ""} ${reply.raw.statusCode}`));
  app.setErrorHandler((error: FastifyError, _, reply) => answerError(error, reply, options.log));
  app.setNotFoundHandler((request, reply) => answerNoRoute(request, reply));
  app.route({ method: ["GET", "HEAD"], url: "/", handler: (request, reply) => sendLanding(request, reply, options) });
  addRegistryRoutes(app, options.ollama, {
    get bound() {
      return options.bound();
    },
    ...(options.ollamaBlobHost === undefined ? {} : { blobHost: options.ollamaBlobHost }),
  });
  addHubRoutes(app, options.catalog);
  return app;
}

async function sendLanding(request: FastifyRequest, reply: FastifyReply, { catalog, ollama }: MirrorAppOptions): Promise<FastifyReply> {
  const models = await Promise.all([catalog.repositories(), ollama.models()]);
  return reply.type("application/json; charset=utf-8").send(JSON.stringify(landing(`http://${request.headers.host}`, ...models), undefined, 2));
}

function answerNoRoute(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (request.method === "GET" || request.method === "HEAD") return reply.code(404).send({ error: "Not found" });
  return reply.code(405).header("allow", "GET, HEAD").send({ error: "this mirror is read-only" });
}

function answerError(error: FastifyError, reply: FastifyReply, log: (line: string) => void): FastifyReply {
  if (error instanceof HoldfastError && error.failure.retry === "transient") {
    return reply.code(503).header("retry-after", "3").send({ error: error.failure.message });
  }
  const status = error.statusCode ?? 500;
  if (status >= 500) log(`error: ${error.message}`);
  return reply.code(status).send({ error: status < 500 ? error.message : "internal error" });
}
