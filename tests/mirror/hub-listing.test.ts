import { createHash } from "node:crypto";
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeHubModel } from "../../examples/quickstart/models.ts";
import { sha256 } from "../../src/domain/digest.ts";
import { addFiles, ask, askJson, folderOf, mainCommit, mirrorOf } from "./mirror-client.ts";

const gitBlob = (content: string): string =>
  createHash("sha1")
    .update(`blob ${Buffer.byteLength(content)}\0${content}`)
    .digest("hex");
const pointerOf = (content: string): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${Buffer.byteLength(content)}\n`;

const model = {
  "acme/tiny/config.json": "{}",
  "acme/tiny/model.safetensors": "weights",
  "acme/tiny/sub/dir/a.txt": "a",
  "acme/tiny/README.md": "---\nlicense: mit\n---\n",
};

describe("a plain folder as a Hub repository", () => {
  it("describes the model, with and without content names", async () => {
    const mirror = await mirrorOf(await folderOf(model));
    const commit = await mainCommit(mirror, "acme/tiny");
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    expect(await askJson(mirror, "/api/models/acme/tiny")).toMatchObject({
      id: "acme/tiny",
      sha: commit,
      private: false,
      gated: false,
      tags: ["license:mit"],
      siblings: [{ rfilename: "README.md" }, { rfilename: "config.json" }, { rfilename: "model.safetensors" }, { rfilename: "sub/dir/a.txt" }],
    });
    const named = await askJson(mirror, `/api/models/acme/tiny/revision/${commit}?blobs=true`);
    const lfs = { sha256: sha256("weights"), size: 7, pointerSize: pointerOf("weights").length };
    expect(named).toMatchObject({
      sha: commit,
      siblings: [
        {},
        { rfilename: "config.json", size: 2, blobId: gitBlob("{}") },
        { rfilename: "model.safetensors", size: 7, blobId: gitBlob(pointerOf("weights")), lfs },
        {},
      ],
    });
    expect(named).not.toHaveProperty(["siblings", 1, "lfs"]);
  });

  it("gives the same files the same commit on every machine, whatever their times", async () => {
    const [here, there] = [await folderOf(model), await folderOf(model)];
    await utimes(join(there, "acme/tiny/config.json"), 1, 1);
    const [a, b] = [await mirrorOf(here), await mirrorOf(there)];
    expect(await mainCommit(a, "acme/tiny")).toBe(await mainCommit(b, "acme/tiny"));
  });

  it("sees a change on disk at once: another commit, and the old one is gone", async () => {
    const folder = await folderOf(model);
    const mirror = await mirrorOf(folder);
    const commits = [await mainCommit(mirror, "acme/tiny")];
    await addFiles(folder, { "acme/tiny/config.json": "[]" });
    commits.push(await mainCommit(mirror, "acme/tiny"));
    await addFiles(folder, { "acme/tiny/new.json": "1" });
    commits.push(await mainCommit(mirror, "acme/tiny"));
    await rm(join(folder, "acme/tiny/new.json"));
    expect(new Set(commits).size).toBe(3);
    expect(await mainCommit(mirror, "acme/tiny")).toBe(commits[1]);
    expect(await ask(mirror, `/api/models/acme/tiny/revision/${commits[0]}`)).toMatchObject({
      status: 404,
      headers: { "x-error-code": "RevisionNotFound" },
    });
    expect(await ask(mirror, `/acme/tiny/resolve/${commits[0]}/config.json`)).toMatchObject({
      status: 404,
      headers: { "x-error-code": "RevisionNotFound" },
    });
  });

  it("serves branches from folders beside it", async () => {
    const mirror = await mirrorOf(await folderOf({ ...model, "acme/tiny@next/config.json": "next", "acme/only@dev/config.json": "dev" }));
    const main = await mainCommit(mirror, "acme/tiny");
    const refs = await askJson(mirror, "/api/models/acme/tiny/refs");
    expect(refs).toMatchObject({
      branches: [
        { name: "main", ref: "refs/heads/main", targetCommit: main },
        { name: "next", ref: "refs/heads/next" },
      ],
      converts: [],
      tags: [],
    });
    expect((await ask(mirror, "/acme/tiny/resolve/next/config.json")).body.toString()).toBe("next");
    expect(await ask(mirror, "/api/models/acme/only")).toMatchObject({ status: 404, headers: { "x-error-code": "RevisionNotFound" } });
    expect(await ask(mirror, "/api/models/acme/only/revision/dev")).toMatchObject({ status: 200 });
  });

  it("lists the tiny model of the quick start", async () => {
    const folder = await folderOf({});
    const files = await writeHubModel(join(folder, "acme", "llama"));
    expect(await askJson(await mirrorOf(folder), "/api/models/acme/llama")).toMatchObject({
      siblings: files.map((rfilename) => ({ rfilename })),
      tags: ["license:apache-2.0"],
    });
  });

  it("says what it is and how to use it", async () => {
    const mirror = await mirrorOf(await folderOf({ ...model, "manifests/registry.ollama.ai/library/tiny/1b": "{}" }));
    const answer = await ask(mirror, "/");
    expect(answer.json()).toMatchObject({
      models: ["acme/tiny"],
      ollama: ["library/tiny:1b"],
      use: { huggingface: expect.stringContaining(mirror.url) },
    });
    expect(answer.body.toString()).toContain("<org>/<name>/**");
  });
});

describe("tree listings", () => {
  it("lists one level or all, files and folders", async () => {
    const mirror = await mirrorOf(await folderOf(model));
    const paths = async (query: string): Promise<unknown> => {
      const entries = await askJson(mirror, `/api/models/acme/tiny/tree/main${query}`);
      return Array.isArray(entries) ? entries.map((entry: { type: string; path: string }) => `${entry.type} ${entry.path}`) : entries;
    };
    expect(await paths("")).toEqual(["file README.md", "file config.json", "file model.safetensors", "directory sub"]);
    expect(await paths("/sub")).toEqual(["directory sub/dir"]);
    const all = ["file README.md", "file config.json", "file model.safetensors", "directory sub", "directory sub/dir", "file sub/dir/a.txt"];
    expect(await paths("?recursive=true&expand=false")).toEqual(all);
    const lfs = { oid: sha256("weights"), size: 7, pointerSize: pointerOf("weights").length };
    const [first] = [await askJson(mirror, "/api/models/acme/tiny/tree/main?expand=true")];
    expect(first).toMatchObject([
      {},
      { oid: gitBlob("{}"), size: 2, lastCommit: { title: expect.any(String) } },
      { oid: gitBlob(pointerOf("weights")), lfs },
      {},
    ]);
    expect(await ask(mirror, "/api/models/acme/tiny/tree/main/none")).toMatchObject({ status: 404, headers: { "x-error-code": "EntryNotFound" } });
  });

  it.each([
    ["", 1000, [1000, 205]],
    ["&expand=true", 50, Array.from({ length: 25 }, (_, page) => (page === 24 ? 5 : 50))],
  ] as const)("pages%s by %i, with a Link until there is no more", async (query, _, sizes) => {
    const files = Object.fromEntries(Array.from({ length: 1205 }, (_entry, index) => [`acme/many/${String(index).padStart(4, "0")} ü.txt`, "x"]));
    const mirror = await mirrorOf(await folderOf(files));
    const seen: string[] = [];
    const pages: number[] = [];
    for (let path: string | undefined = `/api/models/acme/many/tree/main?recursive=true${query}`; path !== undefined;) {
      const answer = await ask(mirror, path);
      const entries = answer.json();
      if (!Array.isArray(entries)) throw new Error("a page is a list");
      seen.push(...entries.map((entry: { path: string }) => entry.path));
      pages.push(entries.length);
      const next: string | undefined = /^<(.+)>; rel="next"$/.exec(String(answer.headers["link"] ?? ""))?.[1];
      path = next === undefined ? undefined : new URL(next).pathname + new URL(next).search;
    }
    expect(pages).toEqual(sizes);
    expect(seen).toEqual(Object.keys(files).map((path) => path.slice("acme/many/".length)));
  });

  it("answers for some paths, asked as JSON or as a form; what is missing is left out", async () => {
    const mirror = await mirrorOf(await folderOf(model));
    const url = "/api/models/acme/tiny/paths-info/main";
    const expected = [
      { type: "file", path: "config.json", size: 2, oid: gitBlob("{}") },
      { type: "directory", path: "sub" },
    ];
    const json = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ paths: ["config.json", "sub", "none"], expand: false }),
    };
    expect(await askJson(mirror, url, json)).toMatchObject(expected);
    const form = {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "paths=config.json&paths=sub&paths=none&expand=False",
    };
    expect(await askJson(mirror, url, form)).toMatchObject(expected);
    expect(await ask(mirror, url, { ...json, body: '{"paths":[1]}' })).toMatchObject({ status: 400 });
  });
});

describe("what is not there", () => {
  it("says which part is missing by X-Error-Code", async () => {
    const mirror = await mirrorOf(await folderOf(model));
    const code = async (path: string): Promise<unknown> => {
      const { status, headers } = await ask(mirror, path);
      return [status, headers["x-error-code"]];
    };
    expect(await code("/api/models/acme/none")).toEqual([404, "RepoNotFound"]);
    expect(await code("/acme/none/resolve/main/config.json")).toEqual([404, "RepoNotFound"]);
    expect(await code("/api/models/acme/tiny/revision/none")).toEqual([404, "RevisionNotFound"]);
    expect(await code(`/acme/tiny/resolve/${"0".repeat(40)}/config.json`)).toEqual([404, "RevisionNotFound"]);
    expect(await code("/acme/tiny/resolve/main/none.json")).toEqual([404, "EntryNotFound"]);
    expect(await code("/api/models/acme/none/refs")).toEqual([404, "RepoNotFound"]);
    expect(await code("/elsewhere")).toEqual([404, undefined]);
    expect(await code("/api/models/acme/tiny/xet-read-token/main")).toEqual([404, undefined]);
  });

  it("names the commit even when the file is missing, so that clients can remember it", async () => {
    const mirror = await mirrorOf(await folderOf(model));
    const { headers } = await ask(mirror, "/acme/tiny/resolve/main/none.json", { method: "HEAD" });
    expect(headers["x-repo-commit"]).toBe(await mainCommit(mirror, "acme/tiny"));
  });
});
