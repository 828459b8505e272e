import { truncate } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/domain/digest.ts";
import { parseByteRange } from "../../src/mirror/byte-range.ts";
import { ask, folderOf, mainCommit, mirrorOf } from "./mirror-client.ts";

const weights = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7) % 251));
const url = "/acme/tiny/resolve/main/model.safetensors";

describe("file answers", () => {
  it("sends large files with the headers clients decide on", async () => {
    const mirror = await mirrorOf(await folderOf({ "acme/tiny/model.safetensors": weights, "acme/tiny/config.json": "{}" }));
    const commit = await mainCommit(mirror, "acme/tiny");
    for (const method of ["HEAD", "GET"]) {
      const answer = await ask(mirror, url, { method });
      expect(answer).toMatchObject({
        status: 200,
        headers: {
          etag: `"${sha256(weights)}"`,
          "x-linked-etag": `"${sha256(weights)}"`,
          "x-linked-size": "5000",
          "x-repo-commit": commit,
          "accept-ranges": "bytes",
          "content-length": "5000",
        },
      });
      expect(answer.body.equals(method === "GET" ? weights : Buffer.alloc(0))).toBe(true);
    }
    const small = await ask(mirror, "/acme/tiny/resolve/main/config.json", { method: "HEAD" });
    expect(small.headers["etag"]).toMatch(/^"[0-9a-f]{40}"$/);
    expect(small.headers).not.toHaveProperty("x-linked-etag");
  });

  it("never compresses, whatever the client accepts", async () => {
    const mirror = await mirrorOf(await folderOf({ "acme/tiny/config.json": " ".repeat(10_000) }));
    const answer = await ask(mirror, "/acme/tiny/resolve/main/config.json", { headers: { "accept-encoding": "gzip, br" } });
    expect(answer.headers).not.toHaveProperty("content-encoding");
    expect(answer.body.length).toBe(10_000);
  });

  it.each([
    ["bytes=0-0", 206, 0, 1],
    ["bytes=100-199", 206, 100, 200],
    ["bytes=4990-", 206, 4990, 5000],
    ["bytes=4990-999999", 206, 4990, 5000],
    ["bytes=-10", 206, 4990, 5000],
    ["bytes=-999999", 206, 0, 5000],
    ["bytes=0-1,4-5", 200, 0, 5000],
    ["bytes=9-3", 200, 0, 5000],
    ["lines=1-2", 200, 0, 5000],
  ] as const)("%s gives %i", async (range, status, start, end) => {
    const mirror = await mirrorOf(await folderOf({ "acme/tiny/model.safetensors": weights }));
    const answer = await ask(mirror, url, { headers: { range } });
    expect(answer.status).toBe(status);
    expect(answer.body.equals(weights.subarray(start, end))).toBe(true);
    expect(answer.headers["content-range"]).toBe(status === 206 ? `bytes ${start}-${end - 1}/5000` : undefined);
  });

  it("refuses a range behind the end and says how long the file is", async () => {
    const mirror = await mirrorOf(await folderOf({ "acme/tiny/model.safetensors": weights, "acme/tiny/empty.bin": "" }));
    expect(await ask(mirror, url, { headers: { range: "bytes=5000-" } })).toMatchObject({
      status: 416,
      headers: { "content-range": "bytes */5000" },
      body: Buffer.alloc(0),
    });
    expect(await ask(mirror, "/acme/tiny/resolve/main/empty.bin", { headers: { range: "bytes=0-" } })).toMatchObject({ status: 416 });
    expect(await ask(mirror, "/acme/tiny/resolve/main/empty.bin")).toMatchObject({ status: 200, headers: { "content-length": "0" } });
  });

  it("If-Range: a part only of the file that the client began with", async () => {
    const mirror = await mirrorOf(await folderOf({ "acme/tiny/model.safetensors": weights }));
    const part = { range: "bytes=10-19" };
    expect(await ask(mirror, url, { headers: { ...part, "if-range": `"${sha256(weights)}"` } })).toMatchObject({ status: 206 });
    const other = await ask(mirror, url, { headers: { ...part, "if-range": `"${sha256("older")}"` } });
    expect(other.status).toBe(200);
    expect(other.body.equals(weights)).toBe(true);
  });

  it("ends the connection when the file becomes shorter than was promised", async () => {
    const folder = await folderOf({ "acme/tiny/model.safetensors": Buffer.alloc(64 * 1024 * 1024) });
    const mirror = await mirrorOf(folder);
    await mainCommit(mirror, "acme/tiny");
    const agent = new Agent({ keepAlive: true });
    const ended = new Promise((resolve) => {
      const sent = request(`${mirror.url}${url}`, { agent }, (response) => {
        let bytes = 0;
        response.once("readable", () => {
          response.pause();
          void truncate(join(folder, "acme/tiny/model.safetensors"), 0).then(() => {
            response.on("data", (chunk: Buffer) => (bytes += chunk.length));
            response.on("error", () => resolve({ complete: response.complete, short: bytes < 64 * 1024 * 1024 }));
            response.on("end", () => resolve({ complete: response.complete, short: bytes < 64 * 1024 * 1024 }));
            response.resume();
          });
        });
      });
      sent.end();
    });
    expect(await ended).toEqual({ complete: false, short: true });
  });

  it("a range is what slicing says it is, for every header", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.option(fc.nat(50)), fc.option(fc.nat(50)), (size, first, last) => {
        const range = parseByteRange(`bytes=${first ?? ""}-${last ?? ""}`, size);
        const bytes = Array.from({ length: size }, (_, index) => index);
        const noRange = (first === null && last === null) || (first !== null && last !== null && last < first);
        if (noRange) return range.kind === "whole";
        const expected = first === null ? (last === 0 ? [] : bytes.slice(-(last ?? 0))) : bytes.slice(first, last === null ? undefined : last + 1);
        if (range.kind !== "part") return range.kind === "unsatisfiable" && expected.length === 0;
        return JSON.stringify(bytes.slice(range.start, range.end + 1)) === JSON.stringify(expected);
      }),
    );
  });
});
