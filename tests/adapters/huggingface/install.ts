import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { etagOf, type HubModel } from "../../fakes/hub-model.ts";

/** Puts a model into a Hub cache the way the Python client does. */
export async function installInCache(cacheDir: string, model: HubModel): Promise<void> {
  const folder = join(cacheDir, `models--${model.repo.replaceAll("/", "--")}`);
  for (const file of model.files) {
    const blob = join(folder, "blobs", etagOf(file));
    const link = join(folder, "snapshots", model.commit, file.path);
    await mkdir(dirname(blob), { recursive: true });
    await mkdir(dirname(link), { recursive: true });
    await writeFile(blob, file.bytes);
    await symlink(`${"../".repeat(file.path.split("/").length + 1)}blobs/${etagOf(file)}`, link);
  }
  await mkdir(join(folder, "refs"), { recursive: true });
  await writeFile(join(folder, "refs", "main"), model.commit);
  await mkdir(join(folder, "trees"), { recursive: true });
  await writeFile(join(folder, "trees", `${model.commit}.json`), treeText(model));
}

/** Puts a model into a plain folder the way `hf download --local-dir` does. */
export async function installInFolder(dir: string, model: HubModel): Promise<void> {
  for (const file of model.files) {
    const record = join(dir, ".cache/huggingface/download", `${file.path}.metadata`);
    await mkdir(dirname(record), { recursive: true });
    await mkdir(dirname(join(dir, file.path)), { recursive: true });
    await writeFile(join(dir, file.path), file.bytes);
    await writeFile(record, `${model.commit}\n${etagOf(file)}\n${Date.now() / 1000 + 1}\n`);
  }
  await mkdir(join(dir, ".cache/huggingface/trees"), { recursive: true });
  await writeFile(join(dir, ".cache/huggingface/trees", `${model.commit}.json`), treeText(model));
}

export function treeText(model: HubModel): string {
  const files = model.files
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, bytes, blobId, lfs, sha256 }) => [
      path,
      { size: bytes.length, blob_id: blobId, ...(lfs ? { lfs_sha256: sha256, lfs_size: bytes.length } : {}) },
    ]);
  return JSON.stringify({ format_version: 1, files: Object.fromEntries(files) }, null, 1);
}
