import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { HubModelFile } from "./hub-model.ts";

/** How the bytes of files are sent; by path of the file, changed by tests while the server runs. */
export interface SendSwitches {
  /** Right size, one byte flipped. */
  readonly wrongBytes: Set<string>;
  /** Half of what was asked for, then silence with the connection open. */
  readonly hang: Set<string>;
  /** Byte counts after which the connection is cut, one per answer. */
  readonly cutAfter: Map<string, number[]>;
  /** Answers 200 with everything, whatever range was asked for. */
  readonly ignoreRange: Set<string>;
  /** Says another start than it sends. */
  readonly wrongContentRange: Set<string>;
  /** Sends more bytes than the file has, without a length. */
  readonly endless: Set<string>;
  /** Ends after half of the bytes as if that were all, without a length. */
  readonly short: Set<string>;
  /** Announces half of the length and sends that. */
  readonly wrongLength: Set<string>;
  /** Compresses although that was not asked for. */
  readonly gzip: Set<string>;
  /** Milliseconds between pieces of 16 KiB. */
  readonly slowMs: Map<string, number>;
}

export function sendSwitches(): SendSwitches {
  return {
    wrongBytes: new Set(),
    hang: new Set(),
    cutAfter: new Map(),
    ignoreRange: new Set(),
    wrongContentRange: new Set(),
    endless: new Set(),
    short: new Set(),
    wrongLength: new Set(),
    gzip: new Set(),
    slowMs: new Map(),
  };
}

/** What a test may see of the transfers. */
export interface SendWatch {
  readonly onBytes: (file: HubModelFile, bytes: number) => void;
  readonly onHang: () => void;
}

const piece = 16 * 1024;

/** Sends a file or a range of it, with whatever fault is switched on for it. */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: HubModelFile,
  switches: SendSwitches,
  watch: SendWatch,
): Promise<void> {
  const { path } = file;
  const bytes = switches.wrongBytes.has(path) ? flipped(file.bytes) : file.bytes;
  const range = switches.ignoreRange.has(path) ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Math.min(Number(range[2]), bytes.length - 1) : bytes.length - 1;
  if (range !== null && start >= bytes.length) return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  const body = bytes.subarray(start, end + 1);
  if (switches.gzip.has(path)) return void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body));
  const said = switches.wrongContentRange.has(path) ? start + 1 : start;
  const open = switches.endless.has(path) || switches.short.has(path);
  const length = switches.wrongLength.has(path) ? Math.floor(body.length / 2) : body.length;
  response.writeHead(range === null ? 200 : 206, {
    ...(open ? {} : { "content-length": length }),
    ...(range === null ? {} : { "content-range": `bytes ${said}-${end}/${bytes.length}` }),
    "accept-ranges": "bytes",
  });
  if (request.method === "HEAD") return void response.end();
  await sendBody(response, file, body.subarray(0, length), switches, watch);
}

async function sendBody(response: ServerResponse, file: HubModelFile, body: Buffer, switches: SendSwitches, watch: SendWatch): Promise<void> {
  const { path } = file;
  const half = Math.floor(body.length / 2);
  const cut = switches.cutAfter.get(path)?.shift();
  if (cut !== undefined && cut < body.length) {
    await write(response, file, body.subarray(0, cut), switches, watch);
    response.destroy();
  } else if (switches.hang.has(path)) {
    await write(response, file, body.subarray(0, half), switches, watch);
    watch.onHang();
  } else if (switches.endless.has(path)) {
    await write(response, file, body, switches, watch);
    while (!response.destroyed) await write(response, file, Buffer.alloc(piece), switches, watch);
  } else {
    await write(response, file, switches.short.has(path) ? body.subarray(0, half) : body, switches, watch);
    response.end();
  }
}

async function write(response: ServerResponse, file: HubModelFile, body: Buffer, switches: SendSwitches, watch: SendWatch): Promise<void> {
  const slow = switches.slowMs.get(file.path);
  const size = slow === undefined ? 1024 * 1024 : piece;
  for (let at = 0; at < body.length && !response.destroyed; at += size) {
    const part = body.subarray(at, at + size);
    watch.onBytes(file, part.length);
    if (!response.write(part)) await drained(response);
    if (slow !== undefined) await new Promise((go) => setTimeout(go, slow));
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.on("drain", go).on("close", go);
  });
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy.writeUInt8(copy.readUInt8(copy.length >> 1) ^ 1, copy.length >> 1);
  return copy;
}
