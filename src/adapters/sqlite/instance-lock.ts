import { accessSync, constants, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { DatabaseSync } from "node:sqlite";
import { failed, type HoldfastError } from "../../domain/failure.ts";
import type { InstanceLock, LockHolder } from "../../ports/instance-lock.ts";
import { ensureFolder } from "./ensure-folder.ts";
import { networkFileSystem } from "./network-file-system.ts";
import { sqlite } from "./sqlite-module.ts";
import { isBusy, toStateFailure } from "./state-failure.ts";

/** A holder writes its name right after it has the lock; this is how long to wait for that before the name is given up. */
const namePatience = { attempts: 10, pauseMs: 20 };

/**
 * One writer per state directory, by an exclusive lock that SQLite takes on a database of its own: the kernel releases it when the process dies,
 * however it dies. The lock file must never be opened by anything else in this process, because closing any descriptor of it would drop the lock.
 */
export function createInstanceLock({ directory }: { readonly directory: string }): InstanceLock {
  const lockPath = join(directory, "lock.db");
  const holderPath = join(directory, "lock.json");
  return {
    async acquire(operation) {
      const database = lock(directory, lockPath);
      if (database === undefined) throw heldByOther(directory, await nameOfHolder(holderPath));
      try {
        writeHolder(holderPath, { pid: process.pid, host: hostname(), operation, since: new Date().toISOString() });
      } catch (error) {
        database.close();
        throw toStateFailure(error, `could not write ${holderPath}`);
      }
      return () => {
        if (!database.isOpen) return;
        rmSync(holderPath, { force: true });
        database.close();
      };
    },
  };
}

/** Takes the lock; undefined when somebody else has it. */
function lock(directory: string, lockPath: string): DatabaseSync | undefined {
  try {
    ensureFolder(directory);
    refuseNetwork(directory);
    createPrivately(lockPath);
    const database = new (sqlite().DatabaseSync)(lockPath, { timeout: 0 });
    try {
      database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
      return database;
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  } catch (error) {
    throw toStateFailure(error, `could not take the lock of ${directory}`);
  }
}

function refuseNetwork(directory: string): void {
  const network = networkFileSystem(statfsSync(directory).type, process.platform);
  if (network === undefined) return;
  throw failed("unsupported", `the state directory ${directory} is on a network file system (${network}), where locks cannot be trusted`, {
    remedy: "set the state directory to a folder on a local disk",
  });
}

function createPrivately(path: string): void {
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    // On a file that may only be read SQLite would take a lock for readers and call it exclusive.
    accessSync(path, constants.W_OK);
  }
}

function writeHolder(path: string, holder: LockHolder): void {
  const temporary = `${path}.${holder.pid}`;
  try {
    writeFileSync(temporary, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The name a dead holder left is not that of the present one. */
async function nameOfHolder(path: string): Promise<LockHolder | undefined> {
  for (let attempt = 0; attempt < namePatience.attempts; attempt += 1) {
    const holder = readHolder(path);
    if (holder !== undefined && isAlive(holder)) return holder;
    await wait(namePatience.pauseMs);
  }
  return undefined;
}

function readHolder(path: string): LockHolder | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isHolder(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== "object" || value === null) return false;
  if (!("pid" in value && "host" in value && "operation" in value && "since" in value)) return false;
  return typeof value.pid === "number" && [value.host, value.operation, value.since].every((part) => typeof part === "string");
}

function isAlive({ pid, host }: LockHolder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code !== "ESRCH";
  }
}

function heldByOther(directory: string, holder: LockHolder | undefined): HoldfastError {
  const who = holder === undefined ? "another process" : `${holder.operation} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`;
  return failed("conflict", `${directory} is in use by ${who}`, {
    retry: "transient",
    remedy: holder === undefined ? "wait until it has ended" : `wait until it has ended, or stop process ${holder.pid}`,
  });
}
