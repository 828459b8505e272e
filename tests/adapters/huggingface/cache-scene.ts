import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toFailure, type FailureCode } from "../../../src/domain/failure.ts";
import type { Holding } from "../../../src/domain/observed.ts";
import { etagOf, hubModel, noise, type HubModel } from "../../fakes/hub-model.ts";
import { openHubWorld, pullOf, refOf, repoFolder, type HubWorld } from "./hub-world.ts";
import { installInCache } from "./install.ts";

/** Bytes that several files and revisions have in common. */
export const shared = noise("shared", 4000);
export const first = hubModel("org/model", {
  "config.json": '{"a":1}',
  "sub/dir/twin.bin": shared,
  "twin.bin": shared,
  "model.safetensors": noise("weights", 50_000),
});
export const second = hubModel("org/model", { "config.json": '{"a":1}', "twin.bin": shared, "model.safetensors": noise("other weights", 40_000) });
export const other = hubModel("org/other", { "model.safetensors": noise("weights", 50_000) });

/** A world with three models and short words for what tests of the cache do. */
export interface CacheScene {
  readonly world: HubWorld;
  /** Folder of the repository of `first` and `second`. */
  readonly folder: string;
  snapshotFile(path: string, model?: HubModel): string;
  blob(path: string, model?: HubModel): string;
  pull(model: HubModel, more?: Parameters<typeof pullOf>[1]): Promise<Holding>;
  remove(model: HubModel, quarantine?: boolean): ReturnType<HubWorld["writer"]["remove"]>;
}

export async function openCacheScene(): Promise<CacheScene> {
  const world = await openHubWorld([first, second, other]);
  return {
    world,
    folder: repoFolder(world, first),
    snapshotFile: (path, model = first) => join(repoFolder(world, model), "snapshots", model.commit, path),
    blob: (path, model = first) => blobOf(world, path, model),
    pull: (model, more = {}) => world.writer.pull(pullOf(model, more), world.context()),
    remove: (model, quarantine = false) => world.writer.remove({ ref: refOf(model), quarantine }, world.context()),
  };
}

function blobOf(world: HubWorld, path: string, model: HubModel): string {
  const file = model.files.find((candidate) => candidate.path === path);
  return join(repoFolder(world, model), "blobs", file === undefined ? "" : etagOf(file));
}

export async function codeOf(operation: Promise<unknown>): Promise<FailureCode | "succeeded"> {
  return operation.then(
    () => "succeeded" as const,
    (error: unknown) => toFailure(error).code,
  );
}

export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Text of every regular file below a folder, by path. */
export async function filesBelow(path: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = files.toSorted().map(async (file) => [file.slice(path.length), await readFile(file, "utf8")] as const);
  return Object.fromEntries(await Promise.all(texts));
}

/** Moves a blob to the shared store, as the Python client does after a Xet download. */
export async function shareBlob({ world, blob }: CacheScene, model: HubModel, path: string): Promise<{ readonly payload: string }> {
  await installInCache(world.cacheDir, model);
  const xetHash = "ab".padEnd(64, "0");
  const payload = join(world.cacheDir, "blobs", "ab", xetHash);
  await mkdir(dirname(payload), { recursive: true });
  await writeFile(join(world.cacheDir, "blobs", ".huggingface-shared-blobs"), "1\n");
  await writeFile(payload, await readFile(blob(path, model)));
  const references = await readFile(`${payload}.refs`, "utf8").catch(() => "");
  await writeFile(`${payload}.refs`, `${references}${blob(path, model).slice(world.cacheDir.length + 1)}\n`);
  await rm(blob(path, model));
  await symlink(`../../blobs/ab/${xetHash}`, blob(path, model));
  return { payload };
}
