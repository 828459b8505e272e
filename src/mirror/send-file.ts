import { open, type FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { parseByteRange, type ByteRange } from "./byte-range.ts";
import { identityOf, type FoundFile } from "./mirror-file.ts";

const chunkBytes = 1024 * 1024;

/** A file and what its answer says about it. */
export interface FileAnswer {
  readonly file: FoundFile;
  /** Names the content; without quotes. */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Answers GET and HEAD with a file or the part that was asked for. False when the file is no longer the one that was listed; nothing was sent then.
 */
export async function sendFile(request: FastifyRequest, reply: FastifyReply, answer: FileAnswer): Promise<boolean> {
  const handle = await openListed(answer.file);
  if (handle === undefined) return false;
  try {
    const etag = `"${answer.etag}"`;
    const ifRange = request.headers["if-range"];
    const range = ifRange === undefined || ifRange === etag ? parseByteRange(request.headers.range, answer.file.size) : { kind: "whole" as const };
    reply.hijack();
    const response = reply.raw;
    response.writeHead(statusOf(range), { ...answer.headers, ...lengthHeaders(range, answer.file.size), ...fixedHeaders, etag });
    const wanted = request.method === "GET" && range.kind !== "unsatisfiable";
    const complete = !wanted || (await pump(handle, response, bounds(range, answer.file.size)).catch(() => false));
    // The length has been promised; a connection that ends early is the only honest answer when the bytes are not there.
    if (complete) response.end();
    else response.destroy();
  } finally {
    await handle.close();
  }
  return true;
}

const fixedHeaders = {
  "accept-ranges": "bytes",
  "content-type": "application/octet-stream",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
} as const;

/** Compares what was opened with what was checked, so that a link swapped in between is not followed. */
async function openListed(file: FoundFile): Promise<FileHandle | undefined> {
  const handle = await open(file.absolute).catch(() => undefined);
  if (handle === undefined) return undefined;
  if (identityOf(await handle.stat({ bigint: true })) === file.identity) return handle;
  await handle.close();
  return undefined;
}

function statusOf(range: ByteRange): number {
  return range.kind === "whole" ? 200 : range.kind === "part" ? 206 : 416;
}

function lengthHeaders(range: ByteRange, size: number): Record<string, string> {
  if (range.kind === "unsatisfiable") return { "content-range": `bytes */${size}`, "content-length": "0" };
  if (range.kind === "whole") return { "content-length": String(size) };
  return { "content-range": `bytes ${range.start}-${range.end}/${size}`, "content-length": String(range.end - range.start + 1) };
}

function bounds(range: ByteRange, size: number): { readonly start: number; readonly end: number } {
  return range.kind === "part" ? { start: range.start, end: range.end + 1 } : { start: 0, end: size };
}

/** Two buffers take turns: one is read into while the other one is on its way to the socket, and no memory is allocated per chunk. */
async function pump(
  handle: FileHandle,
  response: ServerResponse,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<boolean> {
  const size = Math.min(chunkBytes, end - start);
  let [current, other] = [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)];
  let sent: Promise<boolean> = Promise.resolve(true);
  for (let position = start; position < end;) {
    const { bytesRead } = await handle.read(current, 0, Math.min(size, end - position), position);
    if (bytesRead === 0 || !(await sent)) return false;
    sent = write(response, current.subarray(0, bytesRead));
    [current, other] = [other, current];
    position += bytesRead;
  }
  return sent;
}

/** Resolves when the bytes are out and their buffer may be written to again; false when the connection is gone. */
function write(response: ServerResponse, bytes: Buffer): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const gone = (): void => resolve(false);
    response.once("close", gone);
    response.write(bytes, (error) => {
      response.off("close", gone);
      resolve(error === undefined || error === null);
    });
  });
}
