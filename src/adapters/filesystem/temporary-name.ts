import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { lstat, readdir, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { errnoOf } from "./disk-failure.ts";

const pattern = /^\.holdfast-(\d+)-([0-9a-f]{12})-[0-9a-f]{12}\.tmp$/;

/** A process id means something only within one boot and one pid namespace; elsewhere age is the only evidence. */
const foreignAgeMs = 60 * 60 * 1000;

let knownScope: string | undefined;

/** A fresh name in the folder of `final`, telling which process of which boot made it. */
export function temporaryName(final: string): string {
  return join(dirname(final), `.holdfast-${process.pid}-${scope()}-${randomBytes(6).toString("hex")}.tmp`);
}

/** Removes unfinished writes of dead processes in one folder and returns how many; a missing folder has none. */
export async function removeLeftovers(folder: string): Promise<number> {
  let removed = 0;
  for (const name of await namesIn(folder)) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const path = join(folder, name);
    const abandoned = match[2] === scope() ? !isAlive(Number(match[1])) : await isOld(path);
    if (abandoned && (await remove(path))) removed += 1;
  }
  return removed;
}

function scope(): string {
  knownScope ??= createHash("sha256").update(`${bootId()}\0${pidNamespace()}`).digest("hex").slice(0, 12);
  return knownScope;
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return hostname();
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
}

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > foreignAgeMs;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
