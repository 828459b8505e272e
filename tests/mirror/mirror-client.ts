import { request } from "node:http";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { startMirror, type Mirror, type MirrorOptions } from "../../src/mirror/start-mirror.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly json: () => unknown;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A folder with these files that is gone after the test. */
export async function folderOf(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-mirror-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await addFiles(folder, files);
  return folder;
}

export async function addFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** A mirror of the folder that is stopped after the test. */
export async function mirrorOf(directory: string, options: Omit<MirrorOptions, "directory"> = {}): Promise<Mirror> {
  const mirror = await startMirror({ directory, ...options });
  onTestFinished(() => mirror.close());
  return mirror;
}

/** Sends a request exactly as written: no path normalisation, no redirects. Rejects when the connection ends before the answer does. */
export function ask(mirror: Mirror, path: string, { method = "GET", headers = {}, body }: Asking = {}): Promise<Answer> {
  const { hostname, port } = new URL(mirror.url);
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: hostname.replace(/^\[|\]$/g, ""), port, path, method, headers: { ...length, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const all = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: all,
            json: () => JSON.parse(all.toString("utf8")) as unknown,
          });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The answer's JSON, without its type. */
export async function askJson(mirror: Mirror, path: string, asking: Asking = {}): Promise<unknown> {
  return (await ask(mirror, path, asking)).json();
}

/** The commit that `main` points to. */
export async function mainCommit(mirror: Mirror, repo: string): Promise<string> {
  const info = await askJson(mirror, `/api/models/${repo}`);
  if (typeof info === "object" && info !== null && "sha" in info && typeof info.sha === "string") return info.sha;
  throw new Error(`no commit of ${repo}`);
}
