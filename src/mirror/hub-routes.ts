import { readFile } from "node:fs/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Catalog } from "./catalog.ts";
import { modelInfo, pathsInfo, refsAnswer, treePage, type Card } from "./hub-answers.ts";
import { refuse } from "./hub-errors.ts";
import type { MirroredCommit } from "./mirror-file.ts";
import { within } from "./patience.ts";
import { parseRequestTarget, type RequestTarget } from "./request-target.ts";
import { sendFile } from "./send-file.ts";

const pageSize = { plain: 1000, expanded: 50 } as const;
const operations = new Set(["revision", "tree", "paths-info", "refs"]);

interface Question {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly target: RequestTarget;
  readonly repo: string;
  readonly revision: string;
  /** What follows the revision. */
  readonly path: string;
}

/** The part of the Hub's protocol that reading takes. */
export function addHubRoutes(app: FastifyInstance, catalog: Catalog): void {
  app.route({ method: ["GET", "HEAD"], url: "/api/models/*", handler: (request, reply) => answerApi(request, reply, catalog) });
  app.route({ method: "POST", url: "/api/models/*", handler: (request, reply) => answerPathsInfo(request, reply, catalog) });
  app.route({ method: ["GET", "HEAD"], url: "/*", handler: (request, reply) => answerResolve(request, reply, catalog) });
}

async function answerApi(request: FastifyRequest, reply: FastifyReply, catalog: Catalog): Promise<unknown> {
  const target = parseRequestTarget(request.raw.url ?? "");
  if (target === undefined) return refuse(reply, "bad-request");
  const { repo, operation, revision, path } = parseApiPath(target.parts.slice(2));
  if (operation === "refs") {
    const refs = await within(catalog.refs(repo));
    return refs === undefined ? refuse(reply, "no-repository", repo) : reply.send(refsAnswer(refs));
  }
  const answer = new Map([
    ["revision", sendInfo],
    ["tree", sendTree],
  ]).get(operation);
  return answer === undefined ? refuse(reply, "no-route") : withCommit({ request, reply, target, repo, revision, path }, catalog, answer);
}

async function answerPathsInfo(request: FastifyRequest, reply: FastifyReply, catalog: Catalog): Promise<unknown> {
  const target = parseRequestTarget(request.raw.url ?? "");
  const { repo, operation, revision } = parseApiPath(target?.parts.slice(2) ?? []);
  const asked = decodePathsInfo(request.body);
  if (operation !== "paths-info") return refuse(reply, "read-only");
  if (target === undefined || asked === undefined) return refuse(reply, "bad-request");
  return withCommit({ request, reply, target, repo, revision, path: "" }, catalog, async (_, commit) => {
    return reply.send(pathsInfo(commit, asked.paths, asked.expand));
  });
}

async function answerResolve(request: FastifyRequest, reply: FastifyReply, catalog: Catalog): Promise<unknown> {
  const target = parseRequestTarget(request.raw.url ?? "");
  const at = target?.parts.indexOf("resolve") ?? -1;
  if (target === undefined || at < 1 || at > 2) return refuse(reply, "no-route");
  const [revision = "", ...path] = target.parts.slice(at + 1);
  return withCommit({ request, reply, target, repo: target.parts.slice(0, at).join("/"), revision, path: path.join("/") }, catalog, sendResolved);
}

type Answer = (question: Question, commit: MirroredCommit) => Promise<unknown>;

async function withCommit(question: Question, catalog: Catalog, answer: Answer): Promise<unknown> {
  const { reply, repo, revision } = question;
  const lookup = await within(catalog.find(repo, revision));
  if (lookup.state === "no-repository") return refuse(reply, "no-repository", repo);
  if (lookup.state === "no-revision") return refuse(reply, "no-revision", `${repo}@${revision}`);
  void reply.header("x-repo-commit", lookup.commit.commit);
  return answer(question, lookup.commit);
}

async function sendInfo({ reply, target }: Question, commit: MirroredCommit): Promise<unknown> {
  return reply.send(modelInfo(commit, isTrue(target.query.get("blobs")), await readCard(commit)));
}

async function sendTree({ request, reply, target, path }: Question, commit: MirroredCommit): Promise<unknown> {
  const expand = isTrue(target.query.get("expand"));
  const most = expand ? pageSize.expanded : pageSize.plain;
  const limit = Math.min(most, Math.max(1, Number.parseInt(target.query.get("limit") ?? "", 10) || most));
  const prefix = path === "" ? "" : `${path.replace(/\/+$/, "")}/`;
  const page = treePage(commit, { prefix, recursive: isTrue(target.query.get("recursive")), expand, after: target.query.get("cursor") ?? "", limit });
  if (prefix !== "" && page.entries.length === 0) return refuse(reply, "no-entry", path);
  if (page.next !== undefined) {
    const next = new URL(request.raw.url ?? "", `http://${request.headers.host}`);
    next.searchParams.set("cursor", page.next);
    void reply.header("link", `<${next.href}>; rel="next"`);
  }
  return reply.send(page.entries);
}

async function sendResolved({ request, reply, path }: Question, commit: MirroredCommit): Promise<unknown> {
  const file = commit.files.find((candidate) => candidate.path === path);
  if (file === undefined) return refuse(reply, "no-entry", path);
  if (file.found === undefined) return refuse(reply, "not-mirrored", path);
  const linked = file.sha256 === undefined ? {} : { "x-linked-etag": `"${file.sha256}"`, "x-linked-size": String(file.size) };
  const headers = { "x-repo-commit": commit.commit, ...linked };
  const sent = await sendFile(request, reply, { file: file.found, etag: file.sha256 ?? file.oid, headers });
  return sent ? reply : refuse(reply, "changing", path);
}

function parseApiPath(parts: readonly string[]): {
  readonly repo: string;
  readonly operation: string;
  readonly revision: string;
  readonly path: string;
} {
  const length = operations.has(parts[1] ?? "") ? 1 : 2;
  const [operation = "revision", revision = "main", ...path] = parts.slice(length);
  return { repo: parts.slice(0, length).join("/"), operation, revision, path: path.join("/") };
}

/** The JavaScript client sends JSON, the Python client a form. */
function decodePathsInfo(body: unknown): { readonly paths: readonly string[]; readonly expand: boolean } | undefined {
  if (body instanceof URLSearchParams) return { paths: body.getAll("paths"), expand: isTrue(body.get("expand")) };
  if (typeof body !== "object" || body === null || !("paths" in body)) return undefined;
  const paths: readonly unknown[] = Array.isArray(body.paths) ? body.paths : [body.paths];
  return paths.every((path) => typeof path === "string") ? { paths, expand: "expand" in body && body.expand === true } : undefined;
}

function isTrue(value: string | null): boolean {
  return value !== null && /^(1|true)$/i.test(value);
}

async function readCard(commit: MirroredCommit): Promise<Card> {
  const readme = commit.files.find((file) => file.path === "README.md")?.found;
  const text = readme === undefined || readme.size > 1024 * 1024 ? "" : await readFile(readme.absolute, "utf8").catch(() => "");
  const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
  const license = /^license:[ \t]*["']?([\w.-]+)["']?[ \t]*$/m.exec(frontMatter)?.[1];
  return license === undefined ? {} : { license };
}
