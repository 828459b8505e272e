import { execFile } from "node:child_process";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sha256 } from "../../src/domain/digest.ts";
import { within } from "../../src/mirror/patience.ts";
import { startMirror } from "../../src/mirror/start-mirror.ts";
import { ask, askJson, folderOf, mirrorOf } from "./mirror-client.ts";

const run = promisify(execFile);
const model = { "acme/tiny/config.json": "{}", "acme/tiny/model.safetensors": "weights" };

describe("SEC-01 nothing outside of the folder", () => {
  const paths = [
    "../../x",
    "..%2f..%2fsecret.txt",
    "%2e%2e/%2e%2e/secret.txt",
    "/etc/hostname",
    "%2fetc%2fhostname",
    "C:%5cx",
    "a%5c..%5c..%5cb",
    "%00",
    "n".repeat(300),
    "CON",
    "dot.",
    "..%252fsecret.txt",
    "%",
  ];

  it.each(paths)("resolve of %j finds nothing", async (path) => {
    const folder = await folderOf({ ...model, "secret.txt": "secret", "acme/secret.txt": "secret" });
    const mirror = await mirrorOf(folder);
    for (const url of [
      `/acme/tiny/resolve/main/${path}`,
      `/acme/tiny/resolve/${path}/config.json`,
      `/api/models/acme/${path}`,
      `/${path}/tiny/resolve/main/config.json`,
      `/acme/tiny/tree/${path}`,
    ]) {
      const answer = await ask(mirror, url);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.body.toString()).not.toMatch(/^secret$/);
    }
  });

  it("links are followed inside the folder only, and links to folders not at all", async () => {
    const outside = await folderOf({ "secret.txt": "secret", "deep/secret.txt": "secret" });
    const folder = await folderOf({ ...model, "acme/other/real.txt": "inside" });
    const tiny = join(folder, "acme/tiny");
    await symlink(join(outside, "secret.txt"), join(tiny, "out.txt"));
    await symlink(join(outside, "deep"), join(tiny, "deep"));
    await symlink("../other/real.txt", join(tiny, "in.txt"));
    await symlink("..", join(tiny, "up"));
    await symlink(outside, join(folder, "acme/linked"));
    const mirror = await mirrorOf(folder);
    expect(await askJson(mirror, "/api/models/acme/tiny")).toMatchObject({
      siblings: [{ rfilename: "config.json" }, { rfilename: "in.txt" }, { rfilename: "model.safetensors" }],
    });
    expect((await ask(mirror, "/acme/tiny/resolve/main/in.txt")).body.toString()).toBe("inside");
    for (const path of ["out.txt", "deep/secret.txt", "up/other/real.txt"])
      expect(await ask(mirror, `/acme/tiny/resolve/main/${path}`)).toMatchObject({ status: 404 });
    expect(await ask(mirror, "/api/models/acme/linked")).toMatchObject({ status: 404 });
  });

  it("blobs and manifests of a store are bound to the folder too", async () => {
    const outside = await folderOf({ "secret.txt": "secret" });
    const folder = await folderOf({ "manifests/registry.ollama.ai/library/tiny/1b": "{}" });
    await mkdir(join(folder, "blobs"));
    await symlink(join(outside, "secret.txt"), join(folder, "blobs", `sha256-${sha256("secret")}`));
    await symlink(join(outside, "secret.txt"), join(folder, "manifests/registry.ollama.ai/library/tiny/2b"));
    const mirror = await mirrorOf(folder);
    expect(await ask(mirror, `/v2/library/tiny/blobs/sha256:${sha256("secret")}?direct=1`)).toMatchObject({ status: 404 });
    expect(await ask(mirror, "/v2/library/tiny/manifests/2b")).toMatchObject({ status: 404 });
  });

  it("dot files, odd names and things that are no files are neither listed nor served", async () => {
    const folder = await folderOf({
      ...model,
      "acme/tiny/.env": "s",
      "acme/tiny/.git/config": "s",
      "acme/tiny/.cache/huggingface/x": "s",
      "acme/tiny/.gitattributes": "a",
      "acme/tiny/a\\b": "s",
    });
    await run("mkfifo", [join(folder, "acme/tiny/pipe")]);
    const mirror = await mirrorOf(folder);
    expect(await askJson(mirror, "/api/models/acme/tiny")).toMatchObject({
      siblings: [{ rfilename: ".gitattributes" }, { rfilename: "config.json" }, { rfilename: "model.safetensors" }],
    });
    for (const path of [".env", ".git/config", ".cache/huggingface/x", "pipe", "a%5cb"])
      expect(await ask(mirror, `/acme/tiny/resolve/main/${path}`)).toMatchObject({ status: 404 });
  });

  it("serves files with letters of every language under their encoded names", async () => {
    const mirror = await mirrorOf(await folderOf({ "acme/tiny/größe/файл 1.txt": "text" }));
    const path = ["größe", "файл 1.txt"].map(encodeURIComponent).join("/");
    expect((await ask(mirror, `/acme/tiny/resolve/main/${path}`)).body.toString()).toBe("text");
  });
});

describe("SEC-11 host names", () => {
  const routes = ["/", "/api/models/acme/tiny", "/acme/tiny/resolve/main/config.json", "/v2/", "/v2/library/tiny/manifests/1b", "/nowhere"];

  it.each(routes)("%s answers to its own names only", async (path) => {
    const mirror = await mirrorOf(await folderOf(model), { allowedHosts: ["mirror.lan"] });
    const status = async (host: string): Promise<number> => (await ask(mirror, path, { headers: { host } })).status;
    for (const host of ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "localhost@evil.example"])
      expect([host, await status(host)]).toEqual([host, 403]);
    for (const host of ["localhost", "LOCALHOST:1", "a.localhost", "127.0.0.1:9", "[::1]:9", "mirror.lan"]) expect(await status(host)).not.toBe(403);
  });

  it("refuses to listen where others can connect, unless that is wanted, and checks names there too", async () => {
    const directory = await folderOf(model);
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.com"])
      await expect(startMirror({ directory, host })).rejects.toMatchObject({ failure: { code: "invalid-input" } });
    const mirror = await mirrorOf(directory, { host: "0.0.0.0", allowPublic: true });
    expect(mirror.url).toBe(`http://127.0.0.1:${mirror.port}`);
    expect(await ask(mirror, "/", { headers: { host: "evil.example" } })).toMatchObject({ status: 403 });
    expect(await ask(mirror, "/", { headers: { host: "192.0.2.7:8080" } })).toMatchObject({ status: 200 });
  });

  it("needs a folder", async () => {
    const directory = await folderOf({ file: "" });
    await expect(startMirror({ directory: join(directory, "none") })).rejects.toMatchObject({ failure: { code: "not-found" } });
    await expect(startMirror({ directory: join(directory, "file") })).rejects.toMatchObject({ failure: { code: "not-found" } });
  });
});

describe("read-only", () => {
  it.each(["PUT", "POST", "PATCH", "DELETE"])("refuses %s and changes nothing", async (method) => {
    const folder = await folderOf(model);
    const mirror = await mirrorOf(folder);
    const body = { method, headers: { "content-type": "application/json" }, body: "{}" };
    for (const path of ["/acme/tiny/resolve/main/config.json", "/api/models/acme/tiny", "/v2/library/tiny/manifests/1b", "/"])
      expect(await ask(mirror, path, body)).toMatchObject({ status: 405 });
    expect(await readFile(join(folder, "acme/tiny/config.json"), "utf8")).toBe("{}");
  });

  it("SEC-08 reads no body of more than a mebibyte", async () => {
    const mirror = await mirrorOf(await folderOf(model));
    const body = JSON.stringify({ paths: ["x".repeat(2 * 1024 * 1024)] });
    const answer = await ask(mirror, "/api/models/acme/tiny/paths-info/main", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    }).catch(() => undefined);
    expect(answer === undefined || answer.status === 413).toBe(true);
    expect(await ask(mirror, "/")).toMatchObject({ status: 200 });
  });

  it("writes one printable line per request", async () => {
    const lines: string[] = [];
    const mirror = await mirrorOf(await folderOf(model), { log: (line) => lines.push(line) });
    await ask(mirror, "/acme/tiny/resolve/main/config.json?x=%1b%5b31m");
    await vi.waitFor(() => expect(lines).toContain("GET /acme/tiny/resolve/main/config.json?x=%1b%5b31m 200"));
    expect(lines.every((line) => /^[\x20-\x7e]*$/.test(line))).toBe(true);
  });
});

describe("patience", () => {
  afterEach(() => void vi.useRealTimers());

  it("gives an answer that takes too long up in time for the client to ask again", async () => {
    vi.useFakeTimers();
    const waiting = expect(within(new Promise(() => undefined))).rejects.toMatchObject({ failure: { code: "timeout", retry: "transient" } });
    await vi.advanceTimersByTimeAsync(8_000);
    await waiting;
    await expect(within(Promise.resolve("ready"))).resolves.toBe("ready");
  });
});
