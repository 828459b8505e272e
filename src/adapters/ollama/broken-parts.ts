import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mapBounded } from "./bounded.ts";
import { isRecord } from "./decode.ts";
import { errnoOf, readSmallFile } from "./small-file.ts";
import { blobsFolder } from "./store-layout.ts";

const partPattern = /^(sha256-[0-9a-f]{64})-partial-\d+$/;
const maxPartBytes = 64 * 1024;
const secondLook = 300;

/**
 * Removes unfinished downloads whose notes are torn: with one of them every pull of the blob fails, for ever (reference/ollama.md 2.5). Sound
 * unfinished downloads stay. Returns the blobs concerned.
 */
export async function removeBrokenParts(directory: string, signal: AbortSignal): Promise<readonly string[]> {
  const folder = blobsFolder(directory);
  const names = await readdir(folder).catch(() => []);
  const suspects = await tornOf(folder, names);
  if (suspects.length === 0) return [];
  // Notes are written in place: those of somebody else's pull may be torn for an instant.
  await sleep(secondLook, undefined, { signal });
  const torn = await tornOf(folder, suspects);
  const blobs = [...new Set(torn.flatMap((name) => partPattern.exec(name)?.[1] ?? []))];
  const leftovers = names.filter((name) => blobs.some((blob) => name.startsWith(`${blob}-partial`)));
  for (const name of leftovers) await rm(join(folder, name), { force: true });
  return blobs;
}

async function tornOf(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const notes = names.filter((name) => partPattern.test(name));
  const torn = await mapBounded(notes, 8, (name) => isTorn(join(folder, name)));
  return notes.filter((_name, index) => torn[index]);
}

async function isTorn(path: string): Promise<boolean> {
  try {
    const found = await readSmallFile(path, maxPartBytes);
    return typeof found === "object" && !isRecord(JSON.parse(found.bytes.toString("utf8")));
  } catch (error) {
    return errnoOf(error) === undefined;
  }
}
