import type { HubDownload } from "./hub-file.ts";
import type { ResponseHeaders } from "./rate-limit.ts";

/** How an answer fits what was asked for: bytes to append, the whole file from its start, or something that must not be used. */
export type RangeVerdict = { readonly use: "append" | "from-start" } | { readonly use: "nothing"; readonly why: string };

/** Reads status, `Content-Range` and `Content-Length` strictly: bytes are appended only when the server says that they belong exactly there. */
export function judgeRange(download: HubDownload, offset: number, size: number): RangeVerdict {
  const { status, headers } = download.response;
  const isWhole = status === 200;
  const why = generalProblem(download, offset, size) ?? (isWhole ? lengthProblem(headers, size) : partProblem(headers, offset, size));
  if (why !== undefined) return { use: "nothing", why };
  return { use: isWhole ? "from-start" : "append" };
}

function generalProblem({ size: told, response }: HubDownload, offset: number, size: number): string | undefined {
  if (told !== undefined && told !== size) return `the hub now says ${told} bytes instead of ${size}`;
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return `the bytes come as ${encoding} although they were asked for as they are`;
  return response.status === 416 ? `the server has no byte ${offset}` : undefined;
}

function partProblem(headers: ResponseHeaders, offset: number, size: number): string | undefined {
  const range = headers["content-range"] ?? "";
  const found = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range);
  if (found === null) return "the server sends a part without saying which";
  const [start, end, total] = [Number(found[1]), Number(found[2]), found[3] === "*" ? size : Number(found[3])];
  const fits = start === offset && end === size - 1 && total === size;
  return fits ? lengthProblem(headers, size - offset) : `asked for the bytes from ${offset} on of ${size}, the server sends ${range.slice(6)}`;
}

function lengthProblem(headers: ResponseHeaders, expected: number): string | undefined {
  const text = headers["content-length"] ?? "";
  return /^\d{1,15}$/.test(text) && Number(text) !== expected ? `the server sends ${text} bytes instead of ${expected}` : undefined;
}
