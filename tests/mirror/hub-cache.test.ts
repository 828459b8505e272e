import { mkdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/domain/digest.ts";
import { addFiles, ask, askJson, folderOf, mirrorOf } from "./mirror-client.ts";

const commit = "a".repeat(40);
const configOid = "b".repeat(40);
const weights = "weights".repeat(100);

/** A cache as the Python client leaves it: blobs, links, refs and a listing that knows one file more than was fetched. */
async function hubCache(): Promise<string> {
  const cache = await folderOf({});
  const repository = "models--acme--tiny";
  await addFiles(cache, {
    [`${repository}/blobs/${configOid}`]: "{}",
    [`${repository}/blobs/${sha256(weights)}`]: weights,
    [`${repository}/refs/main`]: commit,
    [`${repository}/refs/refs/pr/1`]: commit,
    [`${repository}/refs/torn`]: `${commit}\n`,
    [`${repository}/refs/dangling`]: "c".repeat(40),
  });
  for (const [path, target] of [
    ["config.json", `../../blobs/${configOid}`],
    ["sub/model.safetensors", `../../../blobs/${sha256(weights)}`],
  ] as const) {
    const link = join(cache, repository, "snapshots", commit, path);
    await mkdir(dirname(link), { recursive: true });
    await symlink(target, link);
  }
  return cache;
}

async function addTree(cache: string): Promise<void> {
  const files = {
    "config.json": { size: 2, blob_id: configOid },
    "sub/model.safetensors": { size: 700, blob_id: "d".repeat(40), lfs_sha256: sha256(weights), lfs_size: 700 },
    "pytorch_model.bin": { size: 135, blob_id: "e".repeat(40), lfs_sha256: "f".repeat(64), lfs_size: 9000 },
  };
  await addFiles(cache, { [`models--acme--tiny/trees/${commit}.json`]: JSON.stringify({ format_version: 1, files }) });
}

describe("a Hugging Face cache as a Hub", () => {
  it("keeps commits, refs and content names as they are", async () => {
    const mirror = await mirrorOf(await hubCache());
    for (const revision of ["main", "HEAD", commit, "refs%2Fpr%2F1"]) {
      expect(await askJson(mirror, `/api/models/acme/tiny/revision/${revision}?blobs=true`)).toMatchObject({
        sha: commit,
        siblings: [
          { rfilename: "config.json", size: 2, blobId: configOid },
          { rfilename: "sub/model.safetensors", size: 700, lfs: { sha256: sha256(weights) } },
        ],
      });
    }
    const answer = await ask(mirror, `/acme/tiny/resolve/${commit}/sub/model.safetensors`);
    expect(answer).toMatchObject({ status: 200, headers: { "x-repo-commit": commit, "x-linked-etag": `"${sha256(weights)}"` } });
    expect(answer.body.toString()).toBe(weights);
    expect((await ask(mirror, "/acme/tiny/resolve/main/config.json")).headers["etag"]).toBe(`"${configOid}"`);
  });

  it("lists refs that lead somewhere, pull requests apart", async () => {
    const mirror = await mirrorOf(await hubCache());
    expect(await askJson(mirror, "/api/models/acme/tiny/refs?include_prs=1")).toEqual({
      branches: [{ name: "main", ref: "refs/heads/main", targetCommit: commit }],
      converts: [],
      tags: [],
      pullRequests: [{ name: "refs/pr/1", ref: "refs/pr/1", targetCommit: commit }],
    });
    expect(await ask(mirror, "/api/models/acme/tiny/revision/torn")).toMatchObject({ status: 404 });
    expect(await ask(mirror, "/api/models/acme/tiny/revision/dangling")).toMatchObject({ status: 404 });
  });

  it("lists what the commit has, and says of a file that is not here that it is not here", async () => {
    const cache = await hubCache();
    await addTree(cache);
    const mirror = await mirrorOf(cache);
    expect(await askJson(mirror, `/api/models/acme/tiny/tree/${commit}?recursive=true`)).toMatchObject([
      { path: "config.json", oid: configOid },
      { path: "pytorch_model.bin", size: 9000, lfs: { oid: "f".repeat(64) } },
      { path: "sub", type: "directory" },
      { path: "sub/model.safetensors", oid: "d".repeat(40), lfs: { oid: sha256(weights) } },
    ]);
    const absent = await ask(mirror, "/acme/tiny/resolve/main/pytorch_model.bin");
    expect(absent).toMatchObject({
      status: 404,
      headers: { "x-error-code": "EntryNotFound", "x-error-message": expect.stringContaining("this mirror has not") },
    });
  });

  it("does not serve a blob that is shorter than its commit says", async () => {
    const cache = await hubCache();
    await addTree(cache);
    await truncate(join(cache, "models--acme--tiny/blobs", sha256(weights)), 10);
    expect(await ask(await mirrorOf(cache), "/acme/tiny/resolve/main/sub/model.safetensors")).toMatchObject({ status: 404 });
  });

  it("names copied files by their content, where links could not be made", async () => {
    const cache = await folderOf({ [`models--solo/snapshots/${commit}/model.bin`]: weights, "models--solo/refs/main": commit });
    const mirror = await mirrorOf(cache);
    expect(await askJson(mirror, "/api/models/solo?blobs=1")).toMatchObject({ id: "solo", siblings: [{ lfs: { sha256: sha256(weights) } }] });
    expect((await ask(mirror, "/solo/resolve/main/model.bin")).body.toString()).toBe(weights);
  });

  it("follows the links of shared blobs, and a plain folder of the same name comes first", async () => {
    const cache = await hubCache();
    const blob = join(cache, "models--acme--tiny/blobs", sha256(weights));
    await addFiles(cache, { "blobs/ab/abcd": await readFile(blob) });
    await writeFile(`${blob}.tmp`, "");
    await symlink("../../blobs/ab/abcd", join(cache, "models--acme--tiny/blobs", "9".repeat(64)));
    await symlink(`../../blobs/${"9".repeat(64)}`, join(cache, "models--acme--tiny/snapshots", commit, "shared.bin"));
    const mirror = await mirrorOf(cache);
    const answer = await ask(mirror, "/acme/tiny/resolve/main/shared.bin");
    expect(answer.headers["etag"]).toBe(`"${"9".repeat(64)}"`);
    expect(answer.body.toString()).toBe(weights);
    await addFiles(cache, { "acme/tiny/config.json": "plain" });
    expect((await ask(mirror, "/acme/tiny/resolve/main/config.json")).body.toString()).toBe("plain");
    expect((await ask(mirror, `/acme/tiny/resolve/${commit}/config.json`)).body.toString()).toBe("{}");
  });
});
