import type { FastifyReply } from "fastify";

const refusals = {
  "bad-request": { status: 400, code: undefined, text: "Bad request" },
  "read-only": { status: 405, code: undefined, text: "This mirror is read-only" },
  "no-route": { status: 404, code: undefined, text: "Not found" },
  "no-repository": { status: 404, code: "RepoNotFound", text: "Repository not found" },
  "no-revision": { status: 404, code: "RevisionNotFound", text: "Invalid rev id" },
  "no-entry": { status: 404, code: "EntryNotFound", text: "Entry not found" },
  "not-mirrored": { status: 404, code: "EntryNotFound", text: "The commit has this file, this mirror has not" },
  changing: { status: 503, code: undefined, text: "The file is being written to" },
} as const;

/** Says no as the Hub does: clients decide on `X-Error-Code` first. */
export function refuse(reply: FastifyReply, why: keyof typeof refusals, subject?: string): FastifyReply {
  const { status, code, text } = refusals[why];
  const message = subject === undefined ? text : `${text}: ${printable(subject)}`;
  if (code !== undefined) void reply.header("x-error-code", code);
  if (status === 503) void reply.header("retry-after", "1");
  return reply.code(status).header("x-error-message", message).send({ error: message });
}

/** A header may carry neither line breaks nor letters beyond Latin-1. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 300);
}
