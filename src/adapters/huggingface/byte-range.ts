import type { HubDownload } from "./hub-file.ts";

/** How an answer fits what was asked for: bytes to append, the whole file from its start, or something that must not be used. */
export type RangeVerdict = { readonly use: "append" | "from-start" } | { readonly use: "nothing"; readonly why: string };

/** Reads status, `Content-Range` and `Content-Length` strictly: bytes are appended only when the server says that they belong exactly there. */
export function judgeRange(download: HubDownload, offset: number, size: number): RangeVerdict {
  const { status, headers } = download.response;
  const nothing = (why: string): RangeVerdict => ({ use: "nothing", why });
  if (download.size !== undefined && download.size !== size) return nothing(`the hub now says ${download.size} bytes instead of ${size}`);
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return nothing(`the bytes come as ${encoding} although they were asked for as they are`);
  if (status === 416) return nothing(`the server has no byte ${offset}`);
  const length = lengthOf(headers["content-length"]);
  if (status === 200) return length !== undefined && length !== size ? nothing(`the server sends ${length} bytes instead of ${size}`) : { use: "from-start" };
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (range === null) return nothing("the server sends a part without saying which");
  const [start, end, total] = [Number(range[1]), Number(range[2]), range[3] === "*" ? size : Number(range[3])];
  if (start !== offset || end !== size - 1 || total !== size) return nothing(`asked for bytes ${offset}-${size - 1} of ${size}, the server sends ${range[0].slice(6)}`);
  return length !== undefined && length !== size - offset ? nothing(`the server sends ${length} bytes instead of ${size - offset}`) : { use: "append" };
}

function lengthOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
